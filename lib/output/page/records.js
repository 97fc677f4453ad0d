/*
 * The script of the page of output/html.h, which describes the records.  These files are
 * one script, in this order:
 *
 *	records		decode() reads the JSON
 *	text		records, times and durations as text
 *	graph		what follows what: constraints, and the order of each emitter
 *	state		what the user chose; apply() makes the list of visible records
 *	list		rows for the part that is on the screen, and the lanes beside them
 *	timeline	the same records over time
 *	details		the selected record
 *	selection	which record that is, and the way to the next
 *	controls	search, filters, keys, help
 *	address		what is selected and shown, in the address of the page
 *	begin		the first frame
 *
 * Text of a log goes into the page as text alone (textContent), never as markup,
 * and with its odd characters escaped by shown().  Records are numbers, 0 to N - 1,
 * in the order of the merge; what is known of them are arrays by that number, so
 * that 100,000 of them are searched and walked in a few milliseconds.
 */
'use strict';

const FLAG = { INHERITED: 1, BASE64: 2, STOP: 4, CUT: 8, APART: 16 };
const $ = (id) => document.getElementById(id);

/* Arrays by record.  Seconds and nanoseconds apart: a double does not hold both. */
const decode = (data) => {
	const n = data.records.length;
	const r = {
		n, tool: data.tool, lost: data.lost, levels: data.levels, kinds: data.kinds,
		emitters: data.emitters.map(([name, source, unordered]) => ({ name, source, unordered: !!unordered })),
		second: new Float64Array(n), ns: new Uint32Array(n), t: new Float64Array(n),
		emitter: new Uint16Array(n), flags: new Uint8Array(n), level: new Int8Array(n), line: new Float64Array(n),
		head: new Array(n), text: new Array(n), tail: new Array(n), mark: new Array(n), moved: new Float64Array(n),
		arrows: new Array(n),
	};
	const G = 1000000000n;
	let t = BigInt(data.t0), whole = t / G, second, ns;

	if (t % G < 0n)
		whole -= 1n;
	second = Number(whole);
	ns = Number(t - whole * G);
	for (let i = 0; i < n; i++) {
		const v = data.records[i];

		if (typeof v[0] === 'number') {
			const sum = ns + v[0] % 1e9, carry = Math.floor(sum / 1e9);

			second += Math.trunc(v[0] / 1e9) + carry;
			ns = sum - carry * 1e9;
		} else {
			const sum = BigInt(second) * G + BigInt(ns) + BigInt(v[0]);

			whole = sum / G - (sum % G < 0n ? 1n : 0n);
			second = Number(whole);
			ns = Number(sum - whole * G);
		}
		r.second[i] = second;
		r.ns[i] = ns;
		r.emitter[i] = v[1];
		r.flags[i] = v[2];
		r.level[i] = v[3];
		r.head[i] = v[4];
		r.text[i] = v[5];
		r.tail[i] = v[6];
		r.line[i] = v[7];
		r.arrows[i] = v[8] || null;
		r.mark[i] = v[9] || null;
		r.moved[i] = Number(v[10] || 0);
	}
	return r;
};

const R = decode(JSON.parse($('data').textContent));
$('data').remove();

/*
 * The first and last time; only a record without a time of its own may lie outside.  Where no record has
 * one, TIMED is false, and a record is a second behind the one before it.
 */
const range = (() => {
	let first = -1, from = Infinity, to = -Infinity;

	for (let i = 0; i < R.n; i++)
		if (!(R.flags[i] & FLAG.INHERITED) && (first < 0 || R.second[i] < R.second[first]))
			first = i;
	const zero = first < 0 ? 0 : R.second[first], timed = first >= 0;
	for (let i = 0; i < R.n; i++) {
		R.t[i] = timed ? (R.second[i] - zero) * 1e9 + R.ns[i] : (i + 1) * 1e9;
		if (!timed || !(R.flags[i] & FLAG.INHERITED)) {
			from = Math.min(from, R.t[i]);
			to = Math.max(to, R.t[i]);
		}
	}
	if (R.n === 0)
		from = to = 0;
	for (let i = 0; i < R.n; i++)
		R.t[i] = Math.min(Math.max(R.t[i], from), to);
	/* One moment is shown as a little more. */
	return { zero, timed, last: to, from, to: Math.max(to, from + 1000) };
})();
const lasting = () => duration(range.last - range.from);

/* Digits of a second that the times have. */
const digits = (() => {
	let part = 0;

	for (let i = 0; i < R.n; i++) {
		const ns = R.ns[i];

		part = Math.max(part, ns % 1000 ? 9 : ns % 1000000 ? 6 : ns ? 3 : 0);
	}
	return part;
})();

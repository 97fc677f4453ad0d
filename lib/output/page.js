/*
 * The script of the page of output/html.h, which describes the records.
 *
 * Text of a log goes into the page as text alone (textContent), never as markup,
 * and with its odd characters escaped by shown().  Records are numbers, 0 to N - 1,
 * in the order of the merge; what is known of them are arrays by that number, so
 * that 100,000 of them are searched and walked in a few milliseconds.
 *
 *	records		decode() reads the JSON
 *	graph		what follows what: constraints, and the order of each emitter
 *	state		what the user chose; apply() makes the list of visible records
 *	list		rows for the part that is on the screen, and the lanes beside them
 *	timeline	the same records over time
 *	details		the selected record
 *	controls	search, filters, keys, the address
 */
'use strict';
(() => {

/* --- records --- */

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

/* The first and last time; only a record without a time of its own may lie outside. */
const range = (() => {
	let first = -1, from = Infinity, to = -Infinity;

	for (let i = 0; i < R.n; i++)
		if (!(R.flags[i] & FLAG.INHERITED) && (first < 0 || R.second[i] < R.second[first]))
			first = i;
	const zero = first < 0 ? (R.n ? R.second[0] : 0) : R.second[first];
	for (let i = 0; i < R.n; i++) {
		R.t[i] = (R.second[i] - zero) * 1e9 + R.ns[i];
		if (first < 0 || !(R.flags[i] & FLAG.INHERITED)) {
			from = Math.min(from, R.t[i]);
			to = Math.max(to, R.t[i]);
		}
	}
	if (R.n === 0)
		from = to = 0;
	for (let i = 0; i < R.n; i++)
		R.t[i] = Math.min(Math.max(R.t[i], from), to);
	return { zero, from, to: Math.max(to, from + 1000) };
})();

/* Digits of a second that the times have. */
const digits = (() => {
	let part = 0;

	for (let i = 0; i < R.n; i++) {
		const ns = R.ns[i];

		part = Math.max(part, ns % 1000 ? 9 : ns % 1000000 ? 6 : ns ? 3 : 0);
	}
	return part;
})();

/* --- text --- */

/* What turns a line round or cannot be seen; a newline is no part of a row's text, and a tab is a blank. */
const ODD = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff]|\udb40[\udc00-\udfff]/g;
const escapeOdd = (c) => c === '\t' ? ' ' : c.length > 1 ? '\\u{' + c.codePointAt(0).toString(16) + '}' :
	c < '\u0080' ? '\\x' + c.charCodeAt(0).toString(16).padStart(2, '0') : '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0');
const shown = (text) => text.replace(ODD, escapeOdd);

const el = (tag, props, ...children) => {
	const e = document.createElement(tag);

	for (const key in props) {
		if (key === 'data') {
			for (const name in props.data)
				e.dataset[name] = props.data[name];
		} else if (key in e) {
			e[key] = props[key];
		} else {
			e.setAttribute(key, props[key]);
		}
	}
	e.append(...children);
	return e;
};

const plural = (n, one) => n.toLocaleString('en') + ' ' + one + (n === 1 ? '' : 's');

/* "4.1 ms": NS as a span of time. */
const duration = (ns) => {
	const sign = ns < 0 ? '\u2212' : '';
	const a = Math.abs(ns);
	const s = a / 1e9;

	if (a < 1000)
		return sign + a + ' ns';
	if (a < 1e6)
		return sign + (a / 1e3).toFixed(a < 1e4 ? 1 : 0) + ' \u00b5s';
	if (a < 1e9)
		return sign + (a / 1e6).toFixed(a < 1e8 ? 1 : 0) + ' ms';
	if (s < 60)
		return sign + s.toFixed(s < 10 ? 2 : 1) + ' s';
	if (s < 3600)
		return sign + Math.floor(s / 60) + ' min ' + Math.floor(s % 60) + ' s';
	if (s < 86400)
		return sign + Math.floor(s / 3600) + ' h ' + Math.floor(s % 3600 / 60) + ' min';
	return sign + Math.floor(s / 86400) + ' d ' + Math.floor(s % 86400 / 3600) + ' h';
};

/* The date and the time of day, UTC, of a second since 1970. */
const dateOf = (second) => new Date(second * 1000).toISOString().replace(/T.*/, '');
const clockOf = (second, ns, places) => new Date(second * 1000).toISOString().replace(/^.*T|\..*$/g, '') +
	(places ? '.' + String(ns).padStart(9, '0').slice(0, places) : '');
const timeOf = (i) => clockOf(R.second[i], R.ns[i], digits);
const dateTimeOf = (i) => dateOf(R.second[i]) + ' ' + timeOf(i);

/* The text of T, ns after range.zero, as fine as STEP. */
const momentOf = (t, step) => {
	const s = Math.floor(t / 1e9), places = step < 1e3 ? 9 : step < 1e6 ? 6 : step < 1e9 ? 3 : 0;

	return clockOf(range.zero + s, Math.round(t - s * 1e9), places);
};

const rawText = (i) => R.flags[i] & FLAG.BASE64 ? R.text[i] :
	R.flags[i] & FLAG.APART ? R.head[i] : R.head[i] + R.text[i] + R.tail[i];
const rawBytes = (i) => R.flags[i] & FLAG.BASE64 ? Uint8Array.from(atob(R.head[i]), (c) => c.charCodeAt(0)) :
	new TextEncoder().encode(rawText(i));
const placeOf = (i) => {
	const source = R.emitters[R.emitter[i]].source;

	return R.line[i] ? source + ':' + R.line[i] : source;
};
const nameOf = (i) => R.emitters[R.emitter[i]].name;
const levelOf = (i) => R.level[i] < 0 ? '' : R.levels[R.level[i]];
const severity = (i) => R.level[i] < 0 ? '' : R.level[i] <= 3 ? 'bad' : R.level[i] === 4 ? 'warn' : '';
const tagOf = (i) => {
	const tags = [];

	if (R.mark[i])
		tags.push(R.mark[i]);
	if (R.moved[i] >= 1000)
		tags.push('moved ' + duration(R.moved[i]));
	return tags.join(', ');
};

/* --- graph --- */

/*
 * Edges are constraints between records of the page, from a cause to its effect.  A constraint that is
 * violated (its kind says so) was noted with the cause, which stands below its effect.  outside[] are
 * those whose other record is not in the page.
 */
const graph = (() => {
	const from = [], to = [], kind = [], id = [], outside = new Map();
	const previous = new Int32Array(R.n).fill(-1), next = new Int32Array(R.n).fill(-1);
	const last = new Int32Array(R.emitters.length).fill(-1);

	for (let i = 0; i < R.n; i++) {
		const a = R.arrows[i], e = R.emitter[i];

		for (let k = 0; a && k < a.length; k += 3) {
			const other = i - a[k], back = R.kinds[a[k + 1]][3];

			if (other < 0) {
				if (!outside.has(i))
					outside.set(i, []);
				outside.get(i).push({ kind: a[k + 1], id: a[k + 2] });
				continue;
			}
			from.push(back ? i : other);
			to.push(back ? other : i);
			kind.push(a[k + 1]);
			id.push(a[k + 2]);
		}
		if (!R.emitters[e].unordered) {
			if (last[e] >= 0) {
				previous[i] = last[e];
				next[last[e]] = i;
			}
			last[e] = i;
		}
	}
	R.arrows = null;
	/* The edges that touch each record, as ranges of one array. */
	const byRecord = (ends) => {
		const first = new Uint32Array(R.n + 1), edges = new Uint32Array(ends.length);

		for (const v of ends)
			first[v + 1]++;
		for (let i = 0; i < R.n; i++)
			first[i + 1] += first[i];
		const at = first.slice();
		for (let k = 0; k < ends.length; k++)
			edges[at[ends[k]]++] = k;
		return { first, edges };
	};
	return { from: Uint32Array.from(from), to: Uint32Array.from(to), kind, id, outside, previous, next,
		into: byRecord(to), outOf: byRecord(from) };
})();

const RELATION = { NONE: 0, PAST: 1, FUTURE: 2, BOTH: 3, SELF: 4 };

/* Everything that SELECTED is reached from, or that is reached from it; neither goes through SELECTED twice. */
const relate = (selected) => {
	const relation = new Uint8Array(R.n), stack = new Int32Array(R.n);
	let past = 0, future = 0;
	const walk = (bit, ends, edgesOf, along) => {
		let n = 0, found = 0;
		const visit = (v) => {
			if (v >= 0 && v !== selected && !(relation[v] & bit)) {
				relation[v] |= bit;
				stack[n++] = v;
				found++;
			}
		};
		const expand = (v) => {
			for (let k = edgesOf.first[v]; k < edgesOf.first[v + 1]; k++)
				visit(ends[edgesOf.edges[k]]);
			visit(along[v]);
		};

		expand(selected);
		while (n)
			expand(stack[--n]);
		return found;
	};

	past = walk(RELATION.PAST, graph.from, graph.into, graph.previous);
	future = walk(RELATION.FUTURE, graph.to, graph.outOf, graph.next);
	relation[selected] = RELATION.SELF;
	return { relation, past, future };
};

/* The order of the lanes: a cause is to the left of its effect, as far as possible. */
const laneOrder = (() => {
	const n = R.emitters.length, targets = Array.from({ length: n }, () => new Set()), led = new Uint8Array(n);
	const first = new Int32Array(n).fill(-1), order = [], done = new Uint8Array(n);

	for (let k = 0; k < graph.from.length; k++) {
		const a = R.emitter[graph.from[k]], b = R.emitter[graph.to[k]];

		if (a !== b) {
			targets[a].add(b);
			led[b] = 1;
		}
	}
	for (let i = R.n - 1; i >= 0; i--)
		first[R.emitter[i]] = i;
	const present = [...first.keys()].filter((e) => first[e] >= 0).sort((a, b) => first[a] - first[b]);
	const add = (root) => {
		const stack = [root];

		while (stack.length) {
			const e = stack.pop();

			if (done[e])
				continue;
			done[e] = 1;
			order.push(e);
			stack.push(...[...targets[e]].filter((x) => !done[x]).sort((a, b) => first[b] - first[a]));
		}
	};
	present.filter((e) => !led[e]).forEach(add);
	present.forEach(add);
	return order;
})();
const laneOf = new Int32Array(R.emitters.length);
laneOrder.forEach((e, lane) => { laneOf[e] = lane; });
const COLOURS = 8;
const colourOf = (emitter) => laneOf[emitter] % COLOURS;

/* --- state --- */

const S = {
	query: '', regex: false, level: -1, hidden: new Set(), from: range.from, to: range.to,
	selected: -1, onlyMatches: false, onlyRelated: false, hex: false,
};
const V = {
	visible: new Int32Array(0),	/* records in the list */
	place: new Int32Array(R.n),	/* of each record in it, or -1 */
	pattern: null,			/* the search, or NULL */
	matching: null,			/* whether each record matches; null: there is no search */
	matches: [],			/* places of those in the list */
	relation: null, past: 0, future: 0,
};

/* The search as an expression; null: none, or not a good one. */
const compile = () => {
	const input = $('query');

	input.removeAttribute('aria-invalid');
	if (!S.query)
		return null;
	try {
		return new RegExp(S.regex ? S.query : S.query.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'i');
	} catch (e) {
		input.setAttribute('aria-invalid', 'true');
		return null;
	}
};

const search = () => {
	V.pattern = compile();
	V.matching = null;
	if (!V.pattern)
		return;
	V.matching = new Uint8Array(R.n);
	for (let i = 0; i < R.n; i++)
		V.matching[i] = V.pattern.test(rawText(i)) ? 1 : 0;
};

/* The selected record is in the list whatever is left out. */
const isVisible = (i) => i === S.selected || (!S.hidden.has(R.emitter[i]) &&
	(S.level < 0 || R.level[i] < 0 || R.level[i] <= S.level) && R.t[i] >= S.from && R.t[i] <= S.to &&
	(!S.onlyMatches || !V.matching || V.matching[i]) && (!S.onlyRelated || !V.relation || V.relation[i]));

const apply = () => {
	const visible = new Int32Array(R.n);
	let n = 0;

	V.matches = [];
	V.place.fill(-1);
	for (let i = 0; i < R.n; i++) {
		if (!isVisible(i))
			continue;
		if (V.matching && V.matching[i])
			V.matches.push(n);
		V.place[i] = n;
		visible[n++] = i;
	}
	V.visible = visible.subarray(0, n);
	planLanes();
	showCounts();
	resizeList();
	draw();
};

/* --- list --- */

const list = $('list'), space = $('space'), lanes = $('lanes');
const OVERSCAN = 8;
let rowHeight = 24;
const pool = [];		/* rows that are in the page, used from the first on */
const L = { count: 0, step: 16, width: 40, place: new Int32Array(R.emitters.length) };

const isNarrow = () => window.matchMedia('(max-width: 760px)').matches;

/* Lanes for the emitters that are not left out; where there is no room for all, the last is that of the others. */
const planLanes = () => {
	const shownLanes = laneOrder.filter((e) => !S.hidden.has(e)), n = Math.max(shownLanes.length, 1);
	const budget = isNarrow() ? 72 : Math.min(360, list.clientWidth * 0.3), least = isNarrow() ? 9 : 12;

	L.count = Math.max(1, Math.min(n, Math.floor(budget / least)));
	L.step = Math.min(22, budget / L.count);
	L.place.fill(0);
	shownLanes.forEach((e, i) => { L.place[e] = Math.min(i, L.count - 1); });
	if (S.selected >= 0 && S.hidden.has(R.emitter[S.selected]))
		L.place[R.emitter[S.selected]] = L.count - 1;
	L.width = Math.ceil(L.count * L.step + 14);
	list.style.setProperty('--lanes', L.width + 8 + 'px');
};
const laneX = (emitter) => 9 + L.step * (L.place[emitter] + 0.5);

const resizeList = () => {
	rowHeight = parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--row')) || 24;
	space.style.height = V.visible.length * rowHeight + 'px';
	let empty = $('empty');

	if (V.visible.length === 0 && !empty)
		space.append(el('p', { id: 'empty', textContent: R.n ? 'No record is left: widen the filters, or use Show all.' : 'No records.' }));
	else if (V.visible.length && empty)
		empty.remove();
};

/* TEXT into SPAN, with what the search matches marked. */
const putText = (span, text) => {
	span.textContent = '';
	if (V.pattern) {
		const all = new RegExp(V.pattern.source, 'gi');
		let end = 0, found;

		for (let i = 0; i < 20 && (found = all.exec(text)); i++) {
			if (found[0] === '')
				break;
			span.append(shown(text.slice(end, found.index)), el('mark', { textContent: shown(found[0]) }));
			end = found.index + found[0].length;
		}
		text = text.slice(end);
	}
	span.append(shown(text));
};

const newRow = () => {
	const row = el('div', { className: 'row', role: 'option' });

	row.parts = {};
	for (const part of ['when', 'relation', 'emitter', 'tag', 'text'])
		row.append(row.parts[part] = el('span', { className: part }));
	row.parts.emitter.classList.add('data');
	row.parts.text.classList.add('data');
	return row;
};

const RELATIONS = ['none', 'past', 'future', 'both', 'self'];
const SIGNS = ['', '\u25c2', '\u25b8', '\u25c6', '\u25cf'];
const SIGN_NAMES = ['', 'in its causal past', 'in its causal future', 'in its causal past and future', 'selected'];
const ROW_TEXT = 600;

const fillRow = (row, place) => {
	const i = V.visible[place], relation = V.relation ? V.relation[i] : -1, p = row.parts;

	row.id = 'r' + i;
	row.style.transform = 'translateY(' + place * rowHeight + 'px)';
	row.dataset.record = i;
	row.dataset.level = severity(i);
	if (relation < 0)
		delete row.dataset.relation;
	else
		row.dataset.relation = RELATIONS[relation];
	row.setAttribute('aria-selected', i === S.selected);
	row.setAttribute('aria-setsize', V.visible.length);
	row.setAttribute('aria-posinset', place + 1);
	p.when.textContent = R.flags[i] & FLAG.INHERITED ? ''.padEnd(timeOf(i).length) : timeOf(i);
	p.relation.textContent = relation < 0 ? '' : SIGNS[relation];
	if (relation > 0) {
		p.relation.setAttribute('role', 'img');
		p.relation.setAttribute('aria-label', SIGN_NAMES[relation]);
	} else {
		p.relation.removeAttribute('role');
		p.relation.removeAttribute('aria-label');
	}
	p.emitter.textContent = shown(nameOf(i));
	p.emitter.style.color = 'var(--lane' + colourOf(R.emitter[i]) + ')';
	p.tag.textContent = tagOf(i) && '[' + tagOf(i) + ']';
	p.tag.hidden = !p.tag.textContent;
	putText(p.text, R.text[i].length > ROW_TEXT ? R.text[i].slice(0, ROW_TEXT) + '\u2026' : R.text[i]);
	const more = R.flags[i] & (FLAG.BASE64 | FLAG.APART) ? 0 : R.tail[i].split('\n').length - 1;
	if (more)
		p.text.append(' (+' + plural(more, 'line') + ')');
};

const drawList = () => {
	const first = Math.max(0, Math.floor(list.scrollTop / rowHeight) - OVERSCAN);
	const end = Math.min(V.visible.length, Math.ceil((list.scrollTop + list.clientHeight) / rowHeight) + OVERSCAN);

	for (let k = 0; k < end - first; k++) {
		if (k === pool.length)
			space.append(pool[pool.push(newRow()) - 1]);
		pool[k].hidden = false;
		fillRow(pool[k], first + k);
	}
	for (let k = Math.max(end - first, 0); k < pool.length; k++) {
		pool[k].hidden = true;
		pool[k].removeAttribute('id');
	}
	if (S.selected >= 0 && V.place[S.selected] >= first && V.place[S.selected] < end)
		list.setAttribute('aria-activedescendant', 'r' + S.selected);
	else
		list.removeAttribute('aria-activedescendant');
	drawLanes(first, end);
	const top = V.visible[Math.min(Math.max(Math.floor(list.scrollTop / rowHeight), 0), V.visible.length - 1)];
	$('status').textContent = statusText(top);
};

/* A canvas of W by H pixels of the page, cleared; its context. */
const canvasOf = (canvas, w, h) => {
	const ratio = window.devicePixelRatio || 1;

	canvas.style.width = w + 'px';
	canvas.style.height = h + 'px';
	if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
		canvas.width = Math.round(w * ratio);
		canvas.height = Math.round(h * ratio);
	}
	const c = canvas.getContext('2d');
	c.setTransform(ratio, 0, 0, ratio, 0, 0);
	c.clearRect(0, 0, w, h);
	return c;
};

let palette = null;
const colours = () => {
	if (!palette) {
		const style = getComputedStyle(document.documentElement), get = (name) => style.getPropertyValue(name).trim();

		palette = { lanes: Array.from({ length: COLOURS }, (x, i) => get('--lane' + i)) };
		for (const name of ['back', 'text', 'dim', 'line', 'accent', 'bad', 'past', 'future', 'panel', 'selected-back'])
			palette[name] = get('--' + name);
	}
	return palette;
};

/* Is the edge K part of what is highlighted: does a path through it lead from, or to, the selected record? */
const isHighlighted = (k) => {
	const a = V.relation[graph.from[k]], b = V.relation[graph.to[k]];

	return ((a & RELATION.PAST) && (b & RELATION.PAST || b === RELATION.SELF)) ||
		((b & RELATION.FUTURE) && (a & RELATION.FUTURE || a === RELATION.SELF));
};

const drawEdge = (c, k, first, height) => {
	const from = graph.from[k], to = graph.to[k], kind = R.kinds[graph.kind[k]], pal = colours();
	const x1 = laneX(R.emitter[from]), x2 = laneX(R.emitter[to]);
	const y1 = Math.min(Math.max((V.place[from] - first + 0.5) * rowHeight, -30), height + 30);
	const y2 = Math.min(Math.max((V.place[to] - first + 0.5) * rowHeight, -30), height + 30);
	const side = x2 < x1 ? -1 : x2 > x1 ? 1 : 0, end = x2 - side * 6;

	c.globalAlpha = !V.relation || isHighlighted(k) ? 0.95 : 0.18;
	c.strokeStyle = c.fillStyle = kind[3] ? pal.bad : pal.lanes[colourOf(R.emitter[from])];
	c.lineWidth = V.relation && isHighlighted(k) ? 2.2 : 1.4;
	c.setLineDash(kind[2] ? [5, 4] : []);
	c.beginPath();
	c.moveTo(x1, y1);
	if (side === 0)
		c.bezierCurveTo(x1 + 12, y1 + 4, x1 + 12, y2 - 4, x2 + 5, y2);
	else
		c.bezierCurveTo(x1 + (x2 - x1) * 0.25, y1 + (y2 - y1) * 0.8, x2 - (x2 - x1) * 0.6, y2, end - side * 4, y2);
	c.stroke();
	c.setLineDash([]);
	const tip = side === 0 ? x2 + 5 : end, way = side === 0 ? -1 : side;
	c.beginPath();
	c.moveTo(tip, y2);
	c.lineTo(tip - way * 6, y2 - 3.2);
	c.lineTo(tip - way * 6, y2 + 3.2);
	c.fill();
};

const drawDot = (c, i, y) => {
	const x = laneX(R.emitter[i]), pal = colours(), relation = V.relation ? V.relation[i] : RELATION.SELF;

	c.globalAlpha = relation ? 1 : 0.35;
	c.fillStyle = R.level[i] >= 0 && R.level[i] <= 3 ? pal.bad : pal.lanes[colourOf(R.emitter[i])];
	c.beginPath();
	if (R.level[i] >= 0 && R.level[i] <= 3)
		c.rect(x - 4, y - 4, 8, 8);
	else
		c.arc(x, y, 4, 0, 7);
	if (R.moved[i] >= 1000) {
		c.lineWidth = 2;
		c.strokeStyle = c.fillStyle;
		c.fillStyle = pal.back;
		c.fill();
		c.stroke();
	} else {
		c.fill();
	}
	if (i === S.selected) {
		c.lineWidth = 2;
		c.strokeStyle = pal.accent;
		c.beginPath();
		c.arc(x, y, 7, 0, 7);
		c.stroke();
	}
};

/* The lanes beside the rows FIRST to END: what edges touch these rows, and the dots. */
const drawLanes = (first, end) => {
	const height = Math.max(end - first, 0) * rowHeight, c = canvasOf(lanes, L.width, Math.max(height, 1)), pal = colours();
	const drawn = new Set();
	const drawAll = (edgesOf, i) => {
		for (let k = edgesOf.first[i]; k < edgesOf.first[i + 1]; k++) {
			const edge = edgesOf.edges[k];

			if (V.place[graph.from[edge]] >= 0 && V.place[graph.to[edge]] >= 0 && !drawn.has(edge)) {
				drawn.add(edge);
				drawEdge(c, edge, first, height);
			}
		}
	};

	lanes.style.transform = 'translateY(' + first * rowHeight + 'px)';
	c.globalAlpha = 0.35;
	c.lineWidth = 1.5;
	for (const e of laneOrder) {
		if (S.hidden.has(e))
			continue;
		c.strokeStyle = pal.lanes[colourOf(e)];
		c.beginPath();
		c.moveTo(laneX(e), 0);
		c.lineTo(laneX(e), height);
		c.stroke();
	}
	for (let p = first; p < end; p++) {
		drawAll(graph.into, V.visible[p]);
		drawAll(graph.outOf, V.visible[p]);
	}
	for (let p = first; p < end; p++)
		drawDot(c, V.visible[p], (p - first + 0.5) * rowHeight);
	c.globalAlpha = 1;
};

/* --- timeline --- */

const timeline = $('timeline');
const AXIS = 18, STRIP = 5;	/* the heights of the times above, and of what shows the part of the whole below */
const T = { drag: null };

const timeX = (t, w) => (t - S.from) / (S.to - S.from) * w;
const timeAt = (x, w) => S.from + x / w * (S.to - S.from);

/* Steps that people count in, in ns. */
const STEPS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 2e6, 5e6, 1e7, 2e7, 5e7, 1e8, 2e8, 5e8, 1e9, 2e9, 5e9, 1e10, 15e9, 3e10, 6e10, 12e10, 3e11,
	6e11, 9e11, 18e11, 36e11, 72e11, 216e11, 432e11, 864e11, 1728e11, 6048e11, 2592e12, 7776e12, 31536e12, 31536e13];

const drawAxis = (c, w, h) => {
	const pal = colours(), step = STEPS.find((s) => (S.to - S.from) / s * 90 <= w) || STEPS[STEPS.length - 1];
	/* Steps of a minute and more are counted from midnight. */
	const zero = step >= 6e10 ? -(range.zero % 86400) * 1e9 : 0;

	c.font = '11px ' + getComputedStyle(document.body).fontFamily;
	c.textBaseline = 'middle';
	c.lineWidth = 1;
	for (let t = Math.ceil((S.from - zero) / step) * step + zero; t <= S.to; t += step) {
		const x = timeX(t, w), text = step >= 864e11 ? dateOf(range.zero + t / 1e9) : momentOf(t, step);

		c.strokeStyle = pal.line;
		c.beginPath();
		c.moveTo(x, AXIS - 4);
		c.lineTo(x, h);
		c.stroke();
		c.fillStyle = pal.dim;
		if (x + 3 + c.measureText(text).width < w)
			c.fillText(text, x + 3, AXIS / 2);
	}
};

/* One mark a lane and pixel: how many records are there, and the most important of what is to be said of them. */
const drawMarks = (c, w, h) => {
	const pal = colours(), n = Math.max(laneOrder.length, 1), bands = Math.max(1, Math.min(n, Math.floor(h / 3)));
	const band = h / bands, counts = new Uint32Array(Math.ceil(w + 1) * bands), bad = new Uint8Array(counts.length);
	const related = new Uint8Array(counts.length);

	for (let p = 0; p < V.visible.length; p++) {
		const i = V.visible[p], x = Math.floor(timeX(R.t[i], w - 2));

		if (x < 0 || x >= w)
			continue;
		const at = Math.floor(laneOf[R.emitter[i]] * bands / n) * Math.ceil(w + 1) + x;
		counts[at]++;
		bad[at] |= R.level[i] >= 0 && R.level[i] <= 3 ? 1 : 0;
		if (V.relation)
			related[at] |= V.relation[i];
	}
	/* Pixels side by side that look the same are one rectangle: there are far fewer of these. */
	const paint = (b, y, height, lookOf, style) => {
		let from = 0, look = 0;

		for (let x = 0; x <= w; x++) {
			const next = x < w ? lookOf(b * Math.ceil(w + 1) + x) : 0;

			if (next === look)
				continue;
			if (look) {
				style(look);
				c.fillRect(from, y, x - from + 1, height);
			}
			from = x;
			look = next;
		}
	};
	for (let b = 0; b < bands; b++) {
		const colour = pal.lanes[colourOf(laneOrder[Math.floor(b * n / bands)] || 0)], y = AXIS + b * band;

		/* How strong from 1 to 5, and 8 more for an error. */
		paint(b, y + 1, Math.max(band - 2, 1), (at) => counts[at] === 0 ? 0 : (bad[at] ? 8 : 0) +
			(V.relation && !related[at] ? 1 : Math.min(5, 2 + Math.floor(Math.log2(counts[at]) / 2))), (look) => {
			c.globalAlpha = [0, 0.18, 0.5, 0.65, 0.8, 1][look & 7];
			c.fillStyle = look & 8 ? pal.bad : colour;
		});
		c.globalAlpha = 1;
		if (V.relation)
			paint(b, y + band - 2.5, 2.5, (at) => related[at] & RELATION.PAST ? 1 : related[at] & RELATION.FUTURE ? 2 : 0, (look) => {
				c.fillStyle = look === 1 ? pal.past : pal.future;
			});
	}
	c.globalAlpha = 1;
	return { band, bands, n };
};

const laneY = (emitter, m) => AXIS + (Math.floor(laneOf[emitter] * m.bands / m.n) + 0.5) * m.band;

/* Arrows of the selected record, or of all while they are few. */
const EDGES_DRAWN = 1500;
const drawTimeEdges = (c, w, m) => {
	const pal = colours(), some = [];

	for (let k = 0; k < graph.from.length && some.length <= EDGES_DRAWN; k++) {
		const a = graph.from[k], b = graph.to[k];

		if (V.place[a] >= 0 && V.place[b] >= 0 && (!V.relation || isHighlighted(k)) &&
		    Math.max(R.t[a], R.t[b]) >= S.from && Math.min(R.t[a], R.t[b]) <= S.to)
			some.push(k);
	}
	if (some.length > EDGES_DRAWN)
		return;
	c.globalAlpha = some.length > 200 ? 0.35 : 0.7;
	c.lineWidth = 1.2;
	for (const k of some) {
		const a = graph.from[k], b = graph.to[k], kind = R.kinds[graph.kind[k]];

		c.strokeStyle = kind[3] ? pal.bad : pal.lanes[colourOf(R.emitter[a])];
		c.setLineDash(kind[2] ? [4, 3] : []);
		c.beginPath();
		c.moveTo(timeX(R.t[a], w - 2) + 1, laneY(R.emitter[a], m));
		c.lineTo(timeX(R.t[b], w - 2) + 1, laneY(R.emitter[b], m));
		c.stroke();
	}
	c.setLineDash([]);
	c.globalAlpha = 1;
};

const drawTimeline = () => {
	const w = timeline.clientWidth, h = timeline.clientHeight;

	if (!w || !h)
		return;
	const ratio = window.devicePixelRatio || 1, pal = colours();
	timeline.width = Math.round(w * ratio);
	timeline.height = Math.round(h * ratio);
	const c = timeline.getContext('2d');
	c.setTransform(ratio, 0, 0, ratio, 0, 0);
	drawAxis(c, w, h - STRIP);
	const m = drawMarks(c, w, h - AXIS - STRIP - 2);
	drawTimeEdges(c, w, m);
	if (S.selected >= 0) {
		c.fillStyle = pal.accent;
		c.fillRect(timeX(R.t[S.selected], w - 2), AXIS - 4, 2, h - AXIS - STRIP + 2);
	}
	const whole = range.to - range.from;
	c.fillStyle = pal.line;
	c.fillRect(0, h - STRIP, w, STRIP);
	c.fillStyle = pal.accent;
	c.fillRect((S.from - range.from) / whole * w, h - STRIP, Math.max((S.to - S.from) / whole * w, 3), STRIP);
	if (T.drag && T.drag.select) {
		c.globalAlpha = 0.25;
		c.fillRect(Math.min(T.drag.x, T.drag.now), AXIS, Math.abs(T.drag.now - T.drag.x), h - AXIS - STRIP);
		c.globalAlpha = 1;
	}
	timeline.setAttribute('aria-label', plural(V.visible.length, 'record') + ' from ' + momentOf(S.from, 1e6) + ' to ' +
		momentOf(S.to, 1e6) + ' UTC');
};

/* Frames are drawn once, however many things ask for one. */
let asked = false;
const draw = () => {
	if (asked)
		return;
	asked = true;
	requestAnimationFrame(() => {
		asked = false;
		drawList();
		drawTimeline();
	});
};

const LEAST = 100;	/* ns that are shown at least */
const zoomTo = (from, to) => {
	const whole = range.to - range.from, width = Math.min(Math.max(to - from, LEAST), whole);

	from = Math.min(Math.max(from, range.from), range.to - width);
	S.from = from;
	S.to = width >= whole ? range.to : from + width;
	apply();
	remember();
};
const zoomBy = (factor, at) => zoomTo(at - (at - S.from) * factor, at + (S.to - at) * factor);
const middle = () => S.selected >= 0 && R.t[S.selected] >= S.from && R.t[S.selected] <= S.to ? R.t[S.selected] : (S.from + S.to) / 2;
const panBy = (part) => zoomTo(S.from + (S.to - S.from) * part, S.to + (S.to - S.from) * part);
const zoomAll = () => zoomTo(range.from, range.to);

/* The time of the selected record and of its past and future. */
const zoomRelated = () => {
	let from = Infinity, to = -Infinity;

	for (let i = 0; V.relation && i < R.n; i++)
		if (V.relation[i]) {
			from = Math.min(from, R.t[i]);
			to = Math.max(to, R.t[i]);
		}
	if (from <= to)
		zoomTo(from - (to - from) * 0.02 - 500, to + (to - from) * 0.02 + 500);
};

/* The visible record that is nearest to X, Y of the timeline. */
const recordAt = (x, y) => {
	const w = timeline.clientWidth, h = timeline.clientHeight - AXIS - STRIP - 2, n = Math.max(laneOrder.length, 1);
	const bands = Math.max(1, Math.min(n, Math.floor(h / 3))), band = Math.floor((y - AXIS) / (h / bands));
	let best = -1, least = Infinity;

	for (let p = 0; p < V.visible.length; p++) {
		const i = V.visible[p], away = Math.abs(timeX(R.t[i], w - 2) + 1 - x) +
			Math.abs(Math.floor(laneOf[R.emitter[i]] * bands / n) - band) * 12;

		if (away < least) {
			least = away;
			best = i;
		}
	}
	return least < 40 ? best : -1;
};

timeline.addEventListener('pointerdown', (e) => {
	if (e.button !== 0)
		return;
	T.drag = { x: e.offsetX, now: e.offsetX, from: S.from, to: S.to, select: e.pointerType !== 'touch' && !e.shiftKey, moved: false };
	timeline.setPointerCapture(e.pointerId);
});
timeline.addEventListener('pointermove', (e) => {
	const d = T.drag, w = timeline.clientWidth;

	if (!d)
		return;
	d.now = e.offsetX;
	d.moved = d.moved || Math.abs(d.now - d.x) > 4;
	if (d.select)
		draw();
	else if (d.moved)
		zoomTo(d.from - (d.now - d.x) / w * (d.to - d.from), d.to - (d.now - d.x) / w * (d.to - d.from));
});
timeline.addEventListener('pointerup', (e) => {
	const d = T.drag, w = timeline.clientWidth;

	T.drag = null;
	if (!d)
		return;
	if (!d.moved) {
		const i = recordAt(e.offsetX, e.offsetY);

		if (i >= 0)
			select(i);
	} else if (d.select) {
		zoomTo(timeAt(Math.min(d.x, d.now), w), timeAt(Math.max(d.x, d.now), w));
	}
	draw();
});
timeline.addEventListener('pointercancel', () => { T.drag = null; draw(); });
timeline.addEventListener('dblclick', zoomAll);
timeline.addEventListener('wheel', (e) => {
	e.preventDefault();
	if (Math.abs(e.deltaX) > Math.abs(e.deltaY))
		panBy(e.deltaX / timeline.clientWidth);
	else
		zoomBy(Math.exp(Math.min(Math.max(e.deltaY, -200), 200) * 0.002), timeAt(e.offsetX, timeline.clientWidth));
}, { passive: false });

/* --- details --- */

const details = $('details');

/* "message requests 7": the kind of the edge and its id. */
const reasonOf = (kind, id) => {
	const [name, rule, learned, back] = R.kinds[kind];

	return (learned ? 'learned ' : '') + name + (rule ? ' ' + shown(rule) : '') + (id ? ' ' + shown(id) : '') + (back ? ', violated' : '');
};

/* An item that leads to the record OTHER. */
const linkTo = (other, reason, className, apart) => el('li', {}, el('button', { type: 'button', className: 'go ' + className,
	data: { record: other }, onclick: () => select(other) },
	reason, el('span', { className: 'data', textContent: shown(placeOf(other)) + (apart === null ? '' : ', ' + duration(apart)) + ': ' +
		shown(R.text[other].slice(0, 200)) })));

const SHOWN_EDGES = 100;
const edgeItems = (i, edgesOf, ends) => {
	const items = [], first = edgesOf.first[i], n = edgesOf.first[i + 1] - first;

	for (let k = 0; k < Math.min(n, SHOWN_EDGES); k++) {
		const edge = edgesOf.edges[first + k], other = ends[edge], kind = R.kinds[graph.kind[edge]];
		const after = ends === graph.from;

		items.push(linkTo(other, reasonOf(graph.kind[edge], graph.id[edge]) + (after ? ' after ' : ' before ') + shown(nameOf(other)),
			(kind[2] ? 'learned ' : '') + (kind[3] ? 'back' : ''), after ? R.t[i] - R.t[other] : R.t[other] - R.t[i]));
	}
	if (n > SHOWN_EDGES)
		items.push(el('li', { className: 'nothing', textContent: 'and ' + plural(n - SHOWN_EDGES, 'other') }));
	return items;
};

const section = (title, items, nothing) => [el('h3', { textContent: title }),
	items.length ? el('ul', {}, ...items) : el('p', { className: 'nothing', textContent: nothing })];

const pastItems = (i) => {
	const items = edgeItems(i, graph.into, graph.from);

	for (const x of graph.outside.get(i) || [])
		items.push(el('li', { className: 'nothing', textContent: reasonOf(x.kind, x.id) + ': with a record that is not in this page' }));
	if (graph.previous[i] >= 0)
		items.push(linkTo(graph.previous[i], 'program order', '', R.t[i] - R.t[graph.previous[i]]));
	return items;
};
const futureItems = (i) => {
	const items = edgeItems(i, graph.outOf, graph.to);

	if (graph.next[i] >= 0)
		items.push(linkTo(graph.next[i], 'program order', '', R.t[graph.next[i]] - R.t[i]));
	return items;
};

/* Text with its line breaks; what is escaped stands out. */
const putRaw = (pre, text) => {
	let end = 0;

	for (const found of text.matchAll(ODD)) {
		if (found[0] === '\n' || found[0] === '\t')
			continue;
		pre.append(text.slice(end, found.index), el('span', { className: 'escape', textContent: escapeOdd(found[0]) }));
		end = found.index + found[0].length;
	}
	pre.append(text.slice(end));
};

/* Offset, eight bytes, and what of them is ASCII, a line each. */
const hexDump = (bytes) => {
	const lines = [];

	for (let at = 0; at < bytes.length; at += 8) {
		const some = [...bytes.subarray(at, at + 8)];

		lines.push(at.toString(16).padStart(6, '0') + '  ' + some.map((b) => b.toString(16).padStart(2, '0')).join(' ').padEnd(24) + ' ' +
			some.map((b) => b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '.').join(''));
	}
	return lines.join('\n');
};

const rawSection = (i) => {
	const bytes = rawBytes(i), isText = !(R.flags[i] & FLAG.BASE64), hex = S.hex || !isText;
	const pre = el('pre', { className: hex ? 'bytes hex' : 'bytes data', tabIndex: 0 });
	const choose = (title, isHex) => el('button', { type: 'button', textContent: title, disabled: !isHex && !isText,
		'aria-pressed': hex === isHex, onclick: () => { S.hex = isHex; showDetails(); } });
	const copy = el('button', { type: 'button', textContent: 'Copy', onclick: () => {
		const said = (text) => { copy.textContent = text; };
		const selection = () => { getSelection().selectAllChildren(pre); said('Selected'); };

		if (navigator.clipboard)
			navigator.clipboard.writeText(isText && !hex ? rawText(i) : pre.textContent).then(() => said('Copied'), selection);
		else
			selection();
	} });

	pre.setAttribute('aria-label', 'Bytes of the record');
	if (hex)
		pre.textContent = hexDump(bytes);
	else
		putRaw(pre, rawText(i));
	const note = R.flags[i] & FLAG.CUT ? ' (the first ' + plural(bytes.length, 'byte') + ')' : isText ? '' : ' (not UTF-8)';
	return [el('h3', { textContent: 'Raw: ' + plural(bytes.length, 'byte') + note }),
		el('div', { className: 'tools' }, choose('Text', false), choose('Bytes', true), copy), pre];
};

const showDetails = () => {
	const i = S.selected;

	details.hidden = i < 0;
	details.textContent = '';
	if (i < 0)
		return;
	const term = (name, value, className) => value === '' ? [] : [el('dt', { textContent: name }),
		el('dd', { textContent: value, className: className || '' })];
	const related = el('dd', {}, el('span', { className: 'count-past', id: 'count-past', textContent: plural(V.past, 'record') }), ' before it, ',
		el('span', { className: 'count-future', id: 'count-future', textContent: plural(V.future, 'record') }), ' after it, ',
		plural(R.n - 1 - V.past - V.future, 'other'));

	details.append(
		el('button', { type: 'button', className: 'close', textContent: 'Close', title: 'Close (Escape)', onclick: () => select(-1) }),
		el('h2', { className: 'data', textContent: shown(placeOf(i)) }),
		el('dl', {}, ...term('Time', R.flags[i] & FLAG.INHERITED ? 'none of its own' : dateTimeOf(i) + ' UTC'),
			...term('Emitter', shown(nameOf(i)), 'data'), ...term('Level', levelOf(i)), ...term('Marks', tagOf(i)),
			...term('Record', (i + 1).toLocaleString('en') + ' of ' + R.n.toLocaleString('en')),
			...term('Emitter ends', R.flags[i] & FLAG.STOP ? 'with this record' : ''),
			el('dt', { textContent: 'Causally' }), related),
		el('p', { className: 'message data', textContent: shown(R.text[i].slice(0, 4000)) }),
		...section('Follows', pastItems(i), 'No record is known to come before it.'),
		...section('Is followed by', futureItems(i), 'No record is known to come after it.'),
		...rawSection(i));
	details.scrollTop = 0;
};

/* --- what is selected --- */

/* The height of the list that the details do not cover. */
const viewHeight = () => details.hidden || !isNarrow() ? list.clientHeight :
	Math.max(details.getBoundingClientRect().top - list.getBoundingClientRect().top, 2 * rowHeight);

const scrollToPlace = (place) => {
	const top = place * rowHeight, view = viewHeight();

	if (top < list.scrollTop || top + rowHeight > list.scrollTop + view)
		list.scrollTop = Math.max(0, top - view / 3);
};

const select = (i) => {
	const hadDetails = !details.hidden, before = S.selected;

	S.selected = i;
	V.relation = null;
	V.past = V.future = 0;
	if (i >= 0)
		Object.assign(V, relate(i));
	showDetails();
	/* The list is another one where what it holds depends on the selection. */
	if (S.onlyRelated || (i >= 0 && V.place[i] < 0) || (before >= 0 && isHiddenOtherwise(before)))
		apply();
	if (hadDetails === details.hidden)
		planLanes();
	if (i >= 0)
		scrollToPlace(V.place[i]);
	showCounts();
	draw();
	remember();
};
/* Was it in the list only because it was selected? */
const isHiddenOtherwise = (i) => V.place[i] >= 0 && !isVisible(i);

const selectPlace = (place) => {
	if (V.visible.length)
		select(V.visible[Math.min(Math.max(place, 0), V.visible.length - 1)]);
};
const currentPlace = () => S.selected >= 0 ? V.place[S.selected] : Math.floor(list.scrollTop / rowHeight) - 1;
const pageRows = () => Math.max(1, Math.floor(viewHeight() / rowHeight) - 1);

/* The latest cause, or the earliest effect, that a constraint names; else in program order. */
const selectCause = () => {
	const i = S.selected;

	if (i < 0)
		return;
	let best = -1;
	for (let k = graph.into.first[i]; k < graph.into.first[i + 1]; k++)
		best = Math.max(best, graph.from[graph.into.edges[k]]);
	if (best < 0)
		best = graph.previous[i];
	if (best >= 0)
		select(best);
};
const selectEffect = () => {
	const i = S.selected;

	if (i < 0)
		return;
	let best = R.n;
	for (let k = graph.outOf.first[i]; k < graph.outOf.first[i + 1]; k++)
		best = Math.min(best, graph.to[graph.outOf.edges[k]]);
	if (best === R.n)
		best = graph.next[i];
	if (best >= 0 && best < R.n)
		select(best);
};
const selectAlong = (chain) => {
	if (S.selected >= 0 && chain[S.selected] >= 0)
		select(chain[S.selected]);
};

/* The match behind the current place, or before it, and round at the end. */
const selectMatch = (step) => {
	const m = V.matches, at = currentPlace();

	if (m.length === 0)
		return;
	if (step > 0) {
		const next = m.find((p) => p > at);

		selectPlace(next === undefined ? m[0] : next);
	} else {
		let last = m.length - 1;

		while (last >= 0 && m[last] >= at)
			last--;
		selectPlace(m[last < 0 ? m.length - 1 : last]);
	}
};

/* --- controls --- */

const showCounts = () => {
	const m = V.matches, at = m.length && S.selected >= 0 ? m.indexOf(V.place[S.selected]) : -1;

	$('matches').textContent = $('query').hasAttribute('aria-invalid') ? 'not an expression' : !V.pattern ? '' :
		m.length === 0 ? 'no match' : (at >= 0 ? (at + 1).toLocaleString('en') + ' of ' : '') + plural(m.length, 'match').replace('matchs', 'matches');
	$('match-previous').disabled = $('match-next').disabled = m.length === 0;
	$('only-matches').disabled = !V.pattern;
	$('only-related').disabled = S.selected < 0;
	$('only-matches').setAttribute('aria-pressed', S.onlyMatches);
	$('only-related').setAttribute('aria-pressed', S.onlyRelated);
	$('regex').setAttribute('aria-pressed', S.regex);
	const hidden = [...S.hidden].length;
	$('emitters-open').textContent = hidden ? 'Emitters: ' + (laneOrder.length - hidden) + ' of ' + laneOrder.length : 'Emitters';
	$('clear').disabled = !(hidden || S.level >= 0 || S.query || S.onlyRelated || S.from > range.from || S.to < range.to);
};

const statusText = (top) => {
	const parts = [];

	if (top !== undefined)
		parts.push(dateOf(R.second[top]) + ' UTC');
	parts.push(V.visible.length === R.n ? plural(R.n, 'record') : V.visible.length.toLocaleString('en') + ' of ' + plural(R.n, 'record'));
	if (S.from > range.from || S.to < range.to)
		parts.push(duration(S.to - S.from) + ' of ' + duration(range.to - range.from));
	return parts.join(' \u00b7 ');
};

let typing = 0;
$('query').addEventListener('input', () => {
	clearTimeout(typing);
	typing = setTimeout(() => setQuery($('query').value), 120);
});
const setQuery = (text) => {
	clearTimeout(typing);
	if (text === S.query)
		return;
	S.query = text;
	if (!text)
		S.onlyMatches = false;
	search();
	apply();
	remember();
};
$('query').addEventListener('keydown', (e) => {
	if (e.key === 'Enter') {
		e.preventDefault();
		setQuery($('query').value);
		selectMatch(e.shiftKey ? -1 : 1);
	} else if (e.key === 'Escape') {
		e.preventDefault();
		list.focus();
	}
});
$('controls').addEventListener('submit', (e) => e.preventDefault());
$('match-next').onclick = () => selectMatch(1);
$('match-previous').onclick = () => selectMatch(-1);

const toggle = (name) => {
	S[name] = !S[name];
	if (name === 'regex')
		search();
	apply();
	if (S.selected >= 0 && V.place[S.selected] >= 0)
		scrollToPlace(V.place[S.selected]);
	remember();
};
$('regex').onclick = () => toggle('regex');
$('only-matches').onclick = () => toggle('onlyMatches');
$('only-related').onclick = () => toggle('onlyRelated');

const showAll = () => {
	Object.assign(S, { query: '', regex: false, level: -1, onlyMatches: false, onlyRelated: false, from: range.from, to: range.to });
	S.hidden.clear();
	$('query').value = '';
	$('level').value = '-1';
	search();
	showEmitters();
	apply();
	if (S.selected >= 0)
		scrollToPlace(V.place[S.selected]);
	remember();
};
$('clear').onclick = showAll;

/* Levels that some record has, and the wider ones. */
(() => {
	let most = -1;

	for (let i = 0; i < R.n; i++)
		most = Math.max(most, R.level[i]);
	$('level').append(el('option', { value: '-1', textContent: 'all' }));
	for (let i = 0; i < most; i++)
		$('level').append(el('option', { value: String(i), textContent: R.levels[i] }));
	$('level').parentNode.hidden = most < 0;
})();
$('level').onchange = () => {
	S.level = Number($('level').value);
	apply();
	remember();
};

/* The list of emitters is made when it is opened: there may be thousands. */
const emitterCounts = new Uint32Array(R.emitters.length);
for (let i = 0; i < R.n; i++)
	emitterCounts[R.emitter[i]]++;
const showEmitters = () => {
	if ($('emitters').hidden)
		return;
	const wanted = $('emitters-query').value.toLowerCase();
	const names = laneOrder.filter((e) => R.emitters[e].name.toLowerCase().includes(wanted));

	$('emitters-list').textContent = '';
	for (const e of names) {
		const box = el('input', { type: 'checkbox', checked: !S.hidden.has(e), value: String(e), onchange: () => {
			if (box.checked)
				S.hidden.delete(e);
			else
				S.hidden.add(e);
			apply();
			remember();
		} });
		const name = el('span', { className: 'name data', textContent: shown(R.emitters[e].name) });

		name.style.color = 'var(--lane' + colourOf(e) + ')';
		$('emitters-list').append(el('label', {}, box, name, el('span', { className: 'count', textContent: emitterCounts[e].toLocaleString('en') })));
	}
};
const toggleEmitters = () => {
	$('emitters').hidden = !$('emitters').hidden;
	$('emitters-open').setAttribute('aria-expanded', !$('emitters').hidden);
	showEmitters();
	if (!$('emitters').hidden)
		$('emitters-query').focus();
	draw();
};
const hideEmitters = (all) => {
	const wanted = $('emitters-query').value.toLowerCase();

	for (const e of laneOrder) {
		if (!R.emitters[e].name.toLowerCase().includes(wanted))
			continue;
		if (all)
			S.hidden.add(e);
		else
			S.hidden.delete(e);
	}
	showEmitters();
	apply();
	remember();
};
$('emitters-open').onclick = toggleEmitters;
$('emitters-query').addEventListener('input', showEmitters);
$('emitters-all').onclick = () => hideEmitters(false);
$('emitters-none').onclick = () => hideEmitters(true);

$('zoom-in').onclick = () => zoomBy(0.5, middle());
$('zoom-out').onclick = () => zoomBy(2, middle());
$('pan-left').onclick = () => panBy(-0.5);
$('pan-right').onclick = () => panBy(0.5);
$('zoom-all').onclick = zoomAll;

list.addEventListener('click', (e) => {
	const row = e.target.closest('.row');

	if (row)
		select(Number(row.dataset.record));
});
list.addEventListener('scroll', draw, { passive: true });

/* Keys: what they do, for the handler and for the help. */
const KEYS = [
	[['ArrowDown', 'j'], 'next record', () => selectPlace(currentPlace() + 1)],
	[['ArrowUp', 'k'], 'previous record', () => selectPlace(S.selected < 0 ? 0 : currentPlace() - 1)],
	[['PageDown'], 'a screen down', () => selectPlace(currentPlace() + pageRows())],
	[['PageUp'], 'a screen up', () => selectPlace(currentPlace() - pageRows())],
	[['Home', 'g'], 'first record', () => selectPlace(0)],
	[['End', 'G'], 'last record', () => selectPlace(V.visible.length - 1)],
	[['ArrowLeft', 'h'], 'the record that caused the selected one', selectCause],
	[['ArrowRight', 'l'], 'the record that it caused', selectEffect],
	[['['], 'previous record of the same emitter', () => selectAlong(graph.previous)],
	[[']'], 'next record of the same emitter', () => selectAlong(graph.next)],
	[['Enter'], 'go to the details', () => { if (S.selected >= 0) details.focus(); }],
	[['x'], 'raw text or bytes', () => { S.hex = !S.hex; showDetails(); }],
	[['/'], 'search', () => { $('query').focus(); $('query').select(); }],
	[['n'], 'next match', () => selectMatch(1)],
	[['N'], 'previous match', () => selectMatch(-1)],
	[['m'], 'show only matches', () => { if (V.pattern) toggle('onlyMatches'); }],
	[['r'], 'show only the causal past and future', () => { if (S.selected >= 0) toggle('onlyRelated'); }],
	[['e'], 'choose emitters', toggleEmitters],
	[['a'], 'show all records', showAll],
	[['+', '='], 'zoom in', () => zoomBy(0.5, middle())],
	[['-'], 'zoom out', () => zoomBy(2, middle())],
	[['<'], 'earlier', () => panBy(-0.5)],
	[['>'], 'later', () => panBy(0.5)],
	[['z'], 'zoom to the causal past and future', zoomRelated],
	[['0'], 'all of the time', zoomAll],
	[['?'], 'this help', () => showHelp()],
	[['Escape'], 'close the details', () => select(-1)],
];
const KEY_NAMES = { ArrowDown: '\u2193', ArrowUp: '\u2191', ArrowLeft: '\u2190', ArrowRight: '\u2192' };
const actions = new Map();
KEYS.forEach(([keys, , action]) => keys.forEach((key) => actions.set(key, action)));

document.addEventListener('keydown', (e) => {
	const tag = e.target.tagName, action = actions.get(e.key);

	if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || !action || $('help').open)
		return;
	if (tag === 'SELECT' || (tag === 'INPUT' && e.target.type !== 'checkbox'))
		return;
	/* Buttons, and what scrolls by itself, keep the keys that are theirs. */
	if (e.target !== list && e.target !== document.body && (e.key === 'Enter' || (details.contains(e.target) && /^(Arrow|Page|Home|End)/.test(e.key))))
		return;
	e.preventDefault();
	action();
	if (e.key === 'Escape')
		list.focus();
});

const showHelp = () => {
	const body = $('help-body');

	if (!body.firstChild) {
		const sign = (text, what) => el('tr', {}, el('th', { scope: 'row', textContent: text }), el('td', { textContent: what }));
		const keys = KEYS.map(([names, what]) => el('tr', {}, el('th', { scope: 'row' }, ...names.map((k) => el('kbd', { textContent: KEY_NAMES[k] || k }))),
			el('td', { textContent: what })));

		body.append(
			el('p', { textContent: 'A click on a record shows what may have caused it and what it may have caused: all records that constraints, and the ' +
				'order of each emitter, lead from or to. Records that are neither happened beside it: which was first is not known.' }),
			el('h3', { textContent: 'Signs' }),
			el('table', {}, sign(SIGNS[1], 'in the causal past of the selected record'), sign(SIGNS[2], 'in its causal future'),
				sign('\u25cb', 'stands later than its time, because it follows another record'), sign('\u25a0', 'an error'),
				sign('\u2192', 'a constraint: the record at the tip follows the other'), sign('\u21e2', 'a learned constraint (dashed): found in data, not written by a person'),
				sign('[late]', 'a mark of the merge: see rejoin-log(1)')),
			el('h3', { textContent: 'Keys' }), el('div', { className: 'keys' }, el('table', {}, ...keys)),
			el('h3', { textContent: 'Time line' }),
			el('p', { textContent: 'Drag to zoom in, turn the wheel to zoom, drag with Shift to move, double-click for all of the time. A click selects a record.' }),
			el('p', { textContent: 'The address of the page holds what is selected and shown: copy it to come back to it.' }));
	}
	$('help').showModal();
	$('help-title').focus();
};
$('help-open').onclick = showHelp;

/* --- the address: what is selected and shown, behind "#" --- */

let remembering = 0;
const remember = () => {
	clearTimeout(remembering);
	remembering = setTimeout(() => {
		const p = new URLSearchParams();

		if (S.selected >= 0)
			p.set('r', S.selected);
		if (S.query)
			p.set('q', S.query);
		if (S.regex)
			p.set('re', 1);
		if (S.level >= 0)
			p.set('l', S.level);
		if (S.hidden.size)
			p.set('x', [...S.hidden].sort((a, b) => a - b).join('.'));
		if (S.from > range.from || S.to < range.to)
			p.set('t', Math.round(S.from) + '~' + Math.round(S.to));
		if (S.onlyMatches)
			p.set('m', 1);
		if (S.onlyRelated)
			p.set('o', 1);
		try {
			history.replaceState(null, '', '#' + p);
		} catch (e) {
			/* Where the page has no address of its own, there is nothing to remember it in. */
		}
	}, 150);
};

/* Numbers out of bounds count as absent: an address may be of another page. */
const restore = () => {
	const p = new URLSearchParams(location.hash.slice(1));
	const number = (key, least, most) => /^-?\d+$/.test(p.get(key) || '') && Number(p.get(key)) >= least && Number(p.get(key)) <= most ?
		Number(p.get(key)) : null;
	const times = (p.get('t') || '').split('~').map(Number);
	const selected = number('r', 0, R.n - 1), level = number('l', 0, R.levels.length - 1);

	S.query = p.get('q') || '';
	S.regex = p.has('re');
	S.level = level === null ? -1 : level;
	S.hidden = new Set((p.get('x') || '').split('.').filter((x) => /^\d+$/.test(x) && Number(x) < R.emitters.length).map(Number));
	S.from = range.from;
	S.to = range.to;
	if (times.length === 2 && times[0] < times[1] && times[0] < range.to && times[1] > range.from) {
		S.from = Math.max(times[0], range.from);
		S.to = Math.min(times[1], range.to);
	}
	S.onlyMatches = p.has('m') && S.query !== '';
	S.onlyRelated = p.has('o') && selected !== null;
	$('query').value = S.query;
	$('level').value = String(S.level);
	search();
	S.selected = selected === null ? -1 : selected;
	V.relation = null;
	if (S.selected >= 0)
		Object.assign(V, relate(S.selected));
	showDetails();
	showEmitters();
	apply();
	if (S.selected >= 0)
		scrollToPlace(V.place[S.selected]);
};
window.addEventListener('hashchange', restore);

/* --- the beginning --- */

const begin = () => {
	const days = R.n ? [dateOf(range.zero + Math.floor(range.from / 1e9)), dateOf(range.zero + Math.floor(range.to / 1e9))] : [];
	let names = 4;

	$('title').textContent = R.n === 0 ? 'No records' : days[0] === days[1] ? days[0] : days[0] + ' \u2013 ' + days[1];
	document.title = $('title').textContent + ' \u00b7 ' + R.tool;
	$('summary').textContent = plural(R.n, 'record') + ' of ' + plural(laneOrder.length, 'emitter') + ', ' + plural(graph.from.length, 'constraint') +
		(R.n ? ', in ' + duration(range.to - range.from) : '') + '. Times are UTC.';
	if (R.lost) {
		$('notice').hidden = false;
		$('notice').textContent = 'Cut: ' + plural(R.lost, 'earlier record') + (R.lost === 1 ? ' is' : ' are') + ' not in this page.';
	}
	for (const e of laneOrder)
		names = Math.max(names, Math.min(R.emitters[e].name.length, 22));
	list.style.setProperty('--names', names + 'ch');
	$('match-previous').disabled = $('match-next').disabled = true;
	restore();
	list.focus({ preventScroll: true });
};
window.addEventListener('resize', () => { planLanes(); resizeList(); draw(); });
window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { palette = null; draw(); });
new ResizeObserver(draw).observe(list);
begin();

})();

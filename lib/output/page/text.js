/* Records, times and durations as text. */

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

/* Seconds that the clock of the reader is ahead of UTC, where that one is wanted. */
const ahead = (second) => S.local ? -60 * new Date(second * 1000).getTimezoneOffset() : 0;
const zoneName = (second) => {
	const s = ahead(second), minutes = Math.abs(s) / 60;

	return 'UTC' + (s ? (s < 0 ? '\u2212' : '+') + Math.floor(minutes / 60) + (minutes % 60 ? ':' + String(minutes % 60).padStart(2, '0') : '') : '');
};

/* The date and the time of day of a second since 1970. */
const dateOf = (second) => new Date((second + ahead(second)) * 1000).toISOString().replace(/T.*/, '');
const clockOf = (second, ns, places) => new Date((second + ahead(second)) * 1000).toISOString().replace(/^.*T|\..*$/g, '') +
	(places ? '.' + String(ns).padStart(9, '0').slice(0, places) : '');
const timeOf = (i) => clockOf(R.second[i], R.ns[i], digits);
const dateTimeOf = (i) => dateOf(R.second[i]) + ' ' + timeOf(i);

/* The text of T, ns after range.zero, as fine as STEP. */
const momentOf = (t, step) => {
	const s = Math.floor(t / 1e9), places = step < 1e3 ? 9 : step < 1e6 ? 6 : step < 1e9 ? 3 : 0;

	if (!range.timed)
		return 'record ' + Math.max(Math.round(t / 1e9), 1);
	return clockOf(range.zero + s, Math.round(t - s * 1e9), places);
};

const rawText = (i) => R.flags[i] & FLAG.BASE64 ? R.text[i] :
	R.flags[i] & FLAG.APART ? R.head[i] : R.head[i] + R.text[i] + R.tail[i];
const rawBytes = (i) => R.flags[i] & FLAG.BASE64 ? Uint8Array.from(atob(R.head[i]), (c) => c.charCodeAt(0)) :
	new TextEncoder().encode(rawText(i));
/* The time from A to B; null where one of them has none. */
const hasTime = (i) => range.timed && !(R.flags[i] & FLAG.INHERITED);
const delay = (a, b) => hasTime(a) && hasTime(b) ? R.t[b] - R.t[a] : null;
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

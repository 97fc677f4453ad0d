/* What the user chose, and which records are visible then. */

const S = {
	query: '', regex: false, level: -1, hidden: new Set(), from: range.from, to: range.to,
	selected: -1, onlyMatches: false, onlyRelated: false, hex: false, local: false,
	marked: -1,			/* the record that paths lead from, or to */
};
const V = {
	visible: new Int32Array(0),	/* records in the list */
	place: new Int32Array(R.n),	/* of each record in it, or -1 */
	pattern: null,			/* the search, or NULL */
	matching: null,			/* whether each record matches; null: there is no search */
	matches: [],			/* places of those in the list */
	relation: null, past: 0, future: 0,
	path: null,			/* { first, last, edges } between the marked record and the selected one, or null */
	onPath: new Set(),		/* its records */
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

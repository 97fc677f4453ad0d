/* Which record is selected, and the way to the next. */

/* The height of the list that the details do not cover. */
const viewHeight = () => details.hidden || !isNarrow() ? list.clientHeight :
	Math.max(details.getBoundingClientRect().top - list.getBoundingClientRect().top, 2 * rowHeight);

const scrollToPlace = (place) => {
	const top = place * rowHeight, view = viewHeight();

	if (top < list.scrollTop || top + rowHeight > list.scrollTop + view)
		list.scrollTop = Math.max(0, top - view / 3);
};

/* What is known of the selected record I, or of none. */
const relateTo = (i) => {
	Object.assign(V, i >= 0 ? relate(i) : { relation: null, past: 0, future: 0 });
	V.path = null;
	if (i >= 0 && S.marked >= 0 && S.marked !== i) {
		const forth = V.relation[S.marked] & RELATION.PAST, back = V.relation[S.marked] & RELATION.FUTURE;

		if (forth || back) {
			const first = forth ? S.marked : i, last = forth ? i : S.marked;

			V.path = { first, last, edges: pathBetween(first, last) };
		}
	}
	V.onPath = new Set(V.path ? [V.path.first, V.path.last, ...V.path.edges.flatMap((k) => [graph.from[k], graph.to[k]])] : []);
};
const toggleMark = () => {
	if (S.selected < 0)
		return;
	S.marked = S.marked === S.selected ? -1 : S.selected;
	relateTo(S.selected);
	showDetails();
	draw();
	remember();
};

const select = (i) => {
	const hadDetails = !details.hidden, before = S.selected;

	S.selected = i;
	relateTo(i);
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

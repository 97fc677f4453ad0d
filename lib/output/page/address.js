/* What is selected and shown, in the address of the page, behind "#". */

const address = () => {
	const p = new URLSearchParams(), set = (key, value, isSet) => { if (isSet) p.set(key, value); };

	set('r', S.selected, S.selected >= 0);
	set('p', S.marked, S.marked >= 0);
	set('q', S.query, S.query);
	set('re', 1, S.regex);
	set('l', S.level, S.level >= 0);
	set('x', [...S.hidden].sort((a, b) => a - b).join('.'), S.hidden.size);
	set('t', Math.round(S.from) + '~' + Math.round(S.to), S.from > range.from || S.to < range.to);
	set('m', 1, S.onlyMatches);
	set('o', 1, S.onlyRelated);
	set('z', 1, S.local);
	return '#' + p;
};

let remembering = 0;
const remember = () => {
	clearTimeout(remembering);
	remembering = setTimeout(() => {
		try {
			history.replaceState(null, '', address());
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
	const selected = number('r', 0, R.n - 1), marked = number('p', 0, R.n - 1), level = number('l', 0, R.levels.length - 1);

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
	S.local = p.has('z');
	showZone();
	$('query').value = S.query;
	$('level').value = String(S.level);
	search();
	S.selected = selected === null ? -1 : selected;
	S.marked = marked === null ? -1 : marked;
	relateTo(S.selected);
	showDetails();
	showEmitters();
	apply();
	if (S.selected >= 0)
		scrollToPlace(V.place[S.selected]);
};
window.addEventListener('hashchange', restore);

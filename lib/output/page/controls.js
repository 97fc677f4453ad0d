/* Search, filters, keys and their help. */

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

	/* A record without a time may have none before it that has one. */
	if (top !== undefined && range.timed && R.second[top] >= range.zero)
		parts.push(dateOf(R.second[top]) + ' ' + zoneName(R.second[top]));
	parts.push(V.visible.length === R.n ? plural(R.n, 'record') : V.visible.length.toLocaleString('en') + ' of ' + plural(R.n, 'record'));
	if (S.from > range.from || S.to < range.to)
		parts.push(range.timed ? duration(S.to - S.from) + ' of ' + lasting() : momentOf(S.from, 1e9) + ' to ' + momentOf(S.to, 1e9));
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

/* The clock of the reader, or UTC. */
const showZone = () => {
	$('zone').textContent = S.local ? zoneName(range.zero) : 'UTC';
	$('zone').setAttribute('aria-pressed', S.local);
};
const toggleZone = () => {
	S.local = !S.local;
	showZone();
	showDetails();
	draw();
	remember();
};
$('zone').onclick = toggleZone;

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
$('emitters').addEventListener('keydown', (e) => {
	if (e.key === 'Escape') {
		e.preventDefault();
		toggleEmitters();
		list.focus();
	}
});
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
	[['p'], 'mark the record: the path between it and the next selected one', () => toggleMark()],
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
	[['u'], 'UTC, or the time of your clock', toggleZone],
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

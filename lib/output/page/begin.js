/* The first frame, and what changes the look of the page. */

const begin = () => {
	const days = R.n ? [dateOf(range.zero + Math.floor(range.from / 1e9)), dateOf(range.zero + Math.floor(range.to / 1e9))] : [];
	let names = 4;

	$('title').textContent = R.n === 0 ? 'No records' : !range.timed ? 'Records without times' : days[0] === days[1] ? days[0] : days[0] + ' \u2013 ' + days[1];
	document.title = $('title').textContent + ' \u00b7 ' + R.tool;
	$('summary').textContent = plural(R.n, 'record') + ' of ' + plural(laneOrder.length, 'emitter') + ', ' + plural(graph.from.length, 'constraint') +
		(range.timed && range.last > range.from ? ', in ' + lasting() : '') + '.';
	$('zone').hidden = !range.timed;
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

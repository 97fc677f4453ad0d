/* The list: rows for the part that is on the screen, and the lanes beside them. */

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
	if (V.onPath.has(i))
		row.dataset.path = '';
	else
		delete row.dataset.path;
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
	const seen = new Set();
	for (const e of laneOrder) {
		if (S.hidden.has(e) || seen.has(L.place[e]))
			continue;
		seen.add(L.place[e]);
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

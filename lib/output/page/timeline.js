/* The time line: the visible records over time; zoom. */

const timeline = $('timeline');
const AXIS = 18, STRIP = 5;	/* the heights of the times above, and of what shows the part of the whole below */
const T = { drag: null };

const timeX = (t, w) => (t - S.from) / (S.to - S.from) * w;
const timeAt = (x, w) => S.from + x / w * (S.to - S.from);

/* Steps that people count in, in ns. */
const STEPS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 2e6, 5e6, 1e7, 2e7, 5e7, 1e8, 2e8, 5e8, 1e9, 2e9, 5e9, 1e10, 15e9, 3e10, 6e10, 12e10, 3e11,
	6e11, 9e11, 18e11, 36e11, 72e11, 216e11, 432e11, 864e11, 1728e11, 6048e11, 2592e12, 7776e12, 31536e12, 31536e13];

const drawAxis = (c, w, h) => {
	const pal = colours(), step = STEPS.find((s) => (S.to - S.from) / s * 90 <= w && (range.timed || s >= 1e9)) || STEPS[STEPS.length - 1];
	/* Steps are counted from midnight. */
	const zero = -((range.zero + ahead(range.zero)) % 86400) * 1e9;

	c.font = '11px ' + getComputedStyle(document.body).fontFamily;
	c.textBaseline = 'middle';
	c.lineWidth = 1;
	for (let t = Math.ceil((S.from - zero) / step) * step + zero; t <= S.to; t += step) {
		const x = timeX(t, w), text = step >= 864e11 && range.timed ? dateOf(range.zero + t / 1e9) : momentOf(t, step);

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
		const colour = pal.lanes[colourOf(laneOrder[Math.floor(b * n / bands)] || 0)], y = AXIS + b * band, between = band > 6 ? 2 : 0;

		/* How strong from 1 to 5, and 8 more for an error. */
		paint(b, y + between / 2, band - between, (at) => counts[at] === 0 ? 0 : (bad[at] ? 8 : 0) +
			(V.relation && !related[at] ? 1 : Math.min(5, 2 + Math.floor(Math.log2(counts[at]) / 2))), (look) => {
			c.globalAlpha = [0, 0.18, 0.5, 0.65, 0.8, 1][look & 7];
			c.fillStyle = look & 8 ? pal.bad : colour;
		});
		c.globalAlpha = 1;
		if (V.relation)
			paint(b, y + band - Math.min(band / 2, 2.5), Math.min(band / 2, 2.5), (at) => related[at] & RELATION.PAST ? 1 : related[at] & RELATION.FUTURE ? 2 : 0, (look) => {
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
		momentOf(S.to, 1e6));
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

/* What follows what. */

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

/*
 * The edges of a path from A to B with as few constraints as can be, in order; null where there is none.  A
 * step to the next record of an emitter costs nothing.
 */
const pathBetween = (a, b) => {
	const by = new Int32Array(R.n).fill(-2);	/* the edge that led to a record; -1: program order, -2: none did */
	let layer = [a];

	by[a] = -1;
	while (layer.length && by[b] === -2) {
		const reached = [], further = [];

		for (let v of layer)
			for (reached.push(v); (v = graph.next[v]) >= 0 && by[v] === -2; reached.push(v))
				by[v] = -1;
		for (const v of reached)
			for (let k = graph.outOf.first[v]; k < graph.outOf.first[v + 1]; k++) {
				const edge = graph.outOf.edges[k];

				if (by[graph.to[edge]] === -2) {
					by[graph.to[edge]] = edge;
					further.push(graph.to[edge]);
				}
			}
		layer = further;
	}
	if (by[b] === -2)
		return null;
	const edges = [];
	for (let v = b; v !== a;) {
		if (by[v] >= 0)
			edges.unshift(by[v]);
		v = by[v] >= 0 ? graph.from[by[v]] : graph.previous[v];
	}
	return edges;
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

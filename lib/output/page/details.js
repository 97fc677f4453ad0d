/* The selected record: its constraints, and its bytes. */

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
			(kind[2] ? 'learned ' : '') + (kind[3] ? 'back' : ''), after ? delay(other, i) : delay(i, other)));
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
		items.push(linkTo(graph.previous[i], 'program order', '', delay(graph.previous[i], i)));
	return items;
};
const futureItems = (i) => {
	const items = edgeItems(i, graph.outOf, graph.to);

	if (graph.next[i] >= 0)
		items.push(linkTo(graph.next[i], 'program order', '', delay(i, graph.next[i])));
	return items;
};

/* How the marked record and the selected one are connected. */
const pathSection = (i) => {
	const items = [];
	let at;

	if (S.marked < 0 || S.marked === i)
		return [];
	const title = 'Path ' + (V.path && V.path.first === i ? 'to ' : 'from ') + shown(placeOf(S.marked));
	if (!V.path)
		return section(title, [], 'Neither record is known to come before the other.');
	const skip = (from, to) => {
		let n = 0;

		for (let v = from; v !== to; v = graph.next[v])
			n++;
		if (n)
			items.push(el('li', { className: 'nothing', textContent: plural(n, 'record') + ' later in ' + shown(nameOf(to)) }));
	};
	at = V.path.first;
	items.push(linkTo(at, 'begins with ' + shown(nameOf(at)), '', null));
	for (const edge of V.path.edges) {
		const kind = R.kinds[graph.kind[edge]];

		skip(at, graph.from[edge]);
		if (graph.from[edge] !== at)
			items.push(linkTo(graph.from[edge], shown(nameOf(graph.from[edge])), '', null));
		at = graph.to[edge];
		items.push(linkTo(at, reasonOf(graph.kind[edge], graph.id[edge]) + ' to ' + shown(nameOf(at)), (kind[2] ? 'learned ' : '') + (kind[3] ? 'back' : ''),
			delay(graph.from[edge], at)));
	}
	skip(at, V.path.last);
	if (at !== V.path.last)
		items.push(linkTo(V.path.last, 'ends with ' + shown(nameOf(V.path.last)), '', null));
	return section(title, items, '');
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

/* A button that copies what TEXT yields.  Some browsers have no clipboard for a file. */
const copyButton = (name, text) => {
	const button = el('button', { type: 'button', textContent: name, onclick: () => {
		const say = (what) => { button.textContent = what; };

		if (navigator.clipboard)
			navigator.clipboard.writeText(text()).then(() => say('Copied'), () => say('Not allowed'));
		else
			say('No clipboard');
	} });

	return button;
};

const rawSection = (i) => {
	const bytes = rawBytes(i), isText = !(R.flags[i] & FLAG.BASE64), hex = S.hex || !isText;
	const pre = el('pre', { className: hex ? 'bytes hex' : 'bytes data', tabIndex: 0 });
	const choose = (title, isHex) => el('button', { type: 'button', textContent: title, disabled: !isHex && !isText,
		'aria-pressed': hex === isHex, onclick: () => { S.hex = isHex; showDetails(); } });
	const copy = copyButton('Copy', () => isText && !hex ? rawText(i) : pre.textContent);

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
		el('div', { className: 'top' }, el('h2', { className: 'data', textContent: shown(placeOf(i)) }), el('div', { className: 'tools' },
			el('button', { type: 'button', textContent: S.marked === i ? 'Unmark' : 'Mark', 'aria-pressed': S.marked === i,
				title: 'Show the path between this record and the one that is selected next (p)', onclick: toggleMark }),
			copyButton('Copy link', () => location.href.replace(/#.*/, '') + address()),
			el('button', { type: 'button', textContent: 'Close', title: 'Close (Escape)', onclick: () => select(-1) }))),
		el('dl', {}, ...term('Time', R.flags[i] & FLAG.INHERITED ? 'none of its own' : dateTimeOf(i) + ' ' + zoneName(R.second[i])),
			...term('Emitter', shown(nameOf(i)), 'data'), ...term('Level', levelOf(i)), ...term('Marks', tagOf(i)),
			...term('Record', (i + 1).toLocaleString('en') + ' of ' + R.n.toLocaleString('en')),
			...term('Emitter ends', R.flags[i] & FLAG.STOP ? 'with this record' : ''),
			el('dt', { textContent: 'Causally' }), related),
		el('p', { className: 'message data', textContent: shown(R.text[i].slice(0, 4000)) }),
		...pathSection(i),
		...section('Follows', pastItems(i), 'No record is known to come before it.'),
		...section('Is followed by', futureItems(i), 'No record is known to come after it.'),
		...rawSection(i));
	details.scrollTop = 0;
};

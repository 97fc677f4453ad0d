#include "output/stylesheet.h"

/* Muted colours that stay apart with most forms of colour blindness; red is for what is wrong. */
static const char *const light[STYLESHEET_COLOURS] = { "#2f6db5", "#a8690a", "#2b7a4b", "#94468a", "#0b7f8c", "#6355b8",
    "#8a5a3c", "#56707f" };
static const char *const dark[STYLESHEET_COLOURS] = { "#7db3f2", "#e3b261", "#74cb95", "#e195d2", "#5ecad6", "#ab9ff4",
    "#d6a583", "#a3bac6" };

void
stylesheet_add_colours(struct buf *out)
{
	buf_puts(out, ":root{");
	for (int i = 0; i < STYLESHEET_COLOURS; i++)
		buf_printf(out, "--lane%d:%s;", i, light[i]);
	buf_puts(out, "}\n@media(prefers-color-scheme:dark){:root{");
	for (int i = 0; i < STYLESHEET_COLOURS; i++)
		buf_printf(out, "--lane%d:%s;", i, dark[i]);
	buf_puts(out, "}}\n");
}

void
stylesheet_add(struct buf *out)
{
	buf_puts(out, "<style>\n"
	    "svg{background:#fff;color-scheme:light dark}"
	    "text{font:12px ui-monospace,\"SFMono-Regular\",\"DejaVu Sans Mono\",Menlo,Consolas,monospace;white-space:pre;"
	    "fill:#24292f}\n"
	    ".bg{fill:#fff}.ti{font:600 16px system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif}\n"
	    ".su,.lg{font:12px system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif}\n"
	    ".su,.lg,.ts,.mo,.du{fill:#6a737d}.na{font-weight:600}.er{fill:#b42318}.ma{fill:#9a5b00}\n"
	    ".wa{fill:#fff4dc}.wt{fill:#7a4a00}.pi{fill-opacity:.12}.st{fill:#fff}\n"
	    ".la{fill:none;stroke-width:2;stroke-opacity:.38}.br{fill:none;stroke:#8c959f;stroke-width:1.5;"
	    "stroke-dasharray:1.5 5;stroke-linecap:round}\n"
	    ".go{fill:none;stroke-width:2;stroke-opacity:.3;stroke-dasharray:2 5}\n"
	    ".ld{stroke:#d0d7de;stroke-opacity:.7}.hi{fill:#0969da;fill-opacity:0}.r:hover .hi{fill-opacity:.07}\n"
	    ".do{stroke:#fff;stroke-width:2}.ho{fill:#fff;stroke-width:2.5}.bad{fill:#b42318;stroke:#fff;stroke-width:1.5}\n"
	    ".ar{fill:none;stroke-width:1.8}.a:hover .ar{stroke-width:3}.k3{stroke-dasharray:9 3 1.5 3}.k4{stroke-dasharray:2 3}.le{stroke-dasharray:6 4}\n"
	    ".x{stroke:#b42318;stroke-dasharray:5 4}.xh{fill:#b42318}\n");
	for (int i = 0; i < STYLESHEET_COLOURS; i++)
		buf_printf(out, ".f%d{fill:%s}.s%d{stroke:%s}", i, light[i], i, light[i]);
	buf_puts(out, "\n@media(prefers-color-scheme:dark){\n"
	    "svg{background:#10151c}text{fill:#d6dde5}.bg,.st,.ho{fill:#10151c}.do,.bad{stroke:#10151c}.su,.lg,.ts,.mo,.du{fill:#8b97a5}"
	    ".er{fill:#ff8a80}.ma{fill:#eab865}.wa{fill:#3a2c0e}.wt{fill:#f0c987}.pi{fill-opacity:.18}"
	    ".br{stroke:#6b7684}.ld{stroke:#2a323d}.la{stroke-opacity:.45}.hi{fill:#7db3f2}"
	    ".bad,.xh{fill:#ff8a80}.x{stroke:#ff8a80}\n");
	for (int i = 0; i < STYLESHEET_COLOURS; i++)
		buf_printf(out, ".f%d{fill:%s}.s%d{stroke:%s}", i, dark[i], i, dark[i]);
	buf_puts(out, "\n}\n</style>\n");
}

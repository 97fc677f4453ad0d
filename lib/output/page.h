/*
 * page - the parts of the page of output/html.h that are the same in each: its
 * markup, style and script.
 *
 * Their sources are the files of page/ beside this header; page.sh there makes them
 * into C when the tree is built.  page.html says which script may run,
 * by its hash, and that nothing may be loaded.
 */
#ifndef OUTPUT_PAGE_H
#define OUTPUT_PAGE_H

#include <stddef.h>

/* What stands before the records, and after them. */
extern const char page_head[], page_body[];
extern const size_t page_head_len, page_body_len;

#endif

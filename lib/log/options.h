/*
 * options - what the command line of rejoin-log asks for.
 *
 * Errors: as in base/opt.h, a wrong option ends the tool with EXIT_USAGE.
 */
#ifndef LOG_OPTIONS_H
#define LOG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/opt.h"
#include "log/run.h"
#include "output/picture.h"

enum { OPTIONS_OFFSETS = 64 };

/* The clock of the source called NAME is NS ahead. */
struct options_offset {
	const char *name;
	size_t len;
	int64_t ns;
};

struct options {
	const char *agent;
	bool check, learn, strict, sources, raw;
	struct picture_wanted picture;
	bool format_said;
	bool follow;
	int64_t spool_bytes;		/* of sources that --exact cannot read twice */
	int64_t watermark_ms, idle_ms;	/* 0: none */
	int64_t hold_ms;		/* -1: what suits the output */
	bool auto_rules;		/* --rules auto */
	const char *state;		/* where --save-state keeps how far it got, or NULL */
	enum { WHEN_NEVER, WHEN_AUTO, WHEN_ALWAYS } prefix, colour;
	struct run run;
	struct options_offset offsets[OPTIONS_OFFSETS];
	size_t n_offsets;
};

/* For opt_begin(). */
extern const struct opt_tool options_tool;

/* What is meant where nothing is said; release it at the end. */
void options_init(struct options *o);
void options_release(struct options *o);

/* The current option of S. */
void options_set(struct options *o, const struct opt_scan *s);

/* What REJOIN_FORMAT says, where no option says it and records are printed; after the last option. */
void options_use_environment(struct options *o);

/* Misuse where two options do not go together; after the last of them. */
void options_check(const struct options *o);

/* Misuse where an offset is for none of SPECS, which are opened as the N of V, nor for a host that V may name. */
void options_check_offsets(const struct options *o, const struct source_specs *specs, struct source *const *v,
    unsigned n);

/* How records of SPECS are to look on standard output, which is a terminal or not, and how long they are held. */
void options_settle_style(struct options *o, bool tty, const struct source_specs *specs);

/* Are records written as they are? */
bool options_is_plain(const struct options *o);

/* Give the clocks that are named their offsets; what is none of SPECS is a host. */
void options_give_offsets(const struct options *o, const struct source_specs *specs, struct domains *domains);

/* Give the clock of S its offset, if S is named. */
void options_give_offset(const struct options *o, struct source *s);

#endif

# Build, check and install the toolkit.  GNU make >= 4.0, no configure step.
#
#   make                       tools into build/bin/
#   make demo                  the main job, end to end, on our own agent; drawn in build/demo.svg
#   make check                 lint, unit tests, bats
#   make SAN=1 check           the same under ASan+UBSan, objects in build-san/
#   make lint|unit|bats        one part of check; bats with T=test/NAME.bats ...
#   make generate              completions and the pages' option lists, from the tools' tables
#   make new TOOL=name         a tool that builds, with page, completions and test
#   make fuzz FUZZTIME=60      each fuzz target for that many seconds (clang)
#   make system                systemd booted in a container, and used there (root)
#   make soak                  the same and more, for as long as it takes
#   make bench                 print how fast the tools are; never fails on a time
#   make install DESTDIR=... PREFIX=/usr
#   make uninstall             take away what install put there
#   make help                  print this list
#   make html                  the manual as pages for a browser, in build/html/
#   make readme                the picture in README.md, from the transcript that is tested
#   make deb                   Debian packages from what is committed, in build/deb/
#   make cross                 the same for arm64, in build/cross/, and its unit tests in an emulator (root)
#   make release               tag this version, if VERSION and NEWS agree
#   make V=1                   show the commands
#
# On Debian, demo, check, fuzz, system, soak and bench first make sure of the
# packages they need (test/deps.sh); DEPS=none turns that off.
# Local choices go in config.mk (ignored by git); packagers pass variables.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

-include config.mk

VERSION    := $(shell cat VERSION)
PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
MANDIR     ?= $(PREFIX)/share/man
VENDORDIR  ?= $(PREFIX)/share/rejoin
LIBEXECDIR ?= $(PREFIX)/libexec/rejoin
BASHDIR    ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR     ?= $(PREFIX)/share/zsh/site-functions
FISHDIR    ?= $(PREFIX)/share/fish/vendor_completions.d
UNITDIR    ?= $(PREFIX)/lib/systemd/system
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
RULESDIR   ?= $(PREFIX)/lib/udev/rules.d
ADUDIR     ?= $(PREFIX)/lib/rejoin
INSTALL    ?= install
PKG_CONFIG ?= pkg-config
JOBS       ?= 2

# --- what the tree holds: one tool per cmd/*.c, one module per lib/ROOM/*.c, and
# in cmd/libexec/ what tools run so that they need no library of it themselves
TOOLS := $(patsubst cmd/%.c,%,$(wildcard cmd/*.c))
HELPERS := $(patsubst cmd/libexec/%.c,%,$(wildcard cmd/libexec/*.c))
UNITS := $(patsubst test/unit/%.c,%,$(wildcard test/unit/*.c))
AIDS  := $(patsubst test/tool/%.c,%,$(wildcard test/tool/*.c))
FUZZ  := $(patsubst test/fuzz/%.c,%,$(wildcard test/fuzz/*.c))
# lib/adu/ is the shared object that the Azure agent loads: libc alone, no part of libcore
CORE  := $(filter-out lib/adu/%,$(wildcard lib/*/*.c))
ADU_SO := librejoin_adu_enumerator.so

# --- flags: ours first, the user's last, so that the user wins
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wformat=2 -Wundef -Wvla -Wcast-qual \
	-Wpointer-arith -Wwrite-strings -Wstrict-prototypes \
	-Wmissing-prototypes -Wimplicit-fallthrough -Wno-missing-field-initializers
ifdef SAN
B    := build-san
HARD := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LINK := -fsanitize=address,undefined
else ifdef FUZZING
B    := build-fuzz
CC   := clang
HARD := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LINK := -fsanitize=fuzzer,address,undefined
else
B    := build
HARD := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
LINK := -pie -Wl,-z,relro,-z,now
endif

# --- the libraries, looked for only when something is compiled; packagers may
# set the variables.  libjq has no .pc file before jq 1.7.
libs = $(or $(shell $(PKG_CONFIG) --libs $(1)),$(error no $(1): "test/deps.sh build" says what to install))
CURL_LIBS   ?= $(call libs,libcurl)
UDEV_LIBS   ?= $(call libs,libudev)
CRYPTO_LIBS ?= $(call libs,libcrypto)
JOSE_LIBS   ?= $(call libs,jose)
PCRE2_LIBS  ?= $(call libs,libpcre2-8)
MHD_LIBS    ?= $(call libs,libmicrohttpd)
MOSQUITTO_LIBS ?= $(call libs,libmosquitto)
JQ_LIBS     ?= $(or $(shell $(PKG_CONFIG) --libs libjq 2>/dev/null),-ljq)
LIBS_ALL     = $(JOSE_LIBS) $(CURL_LIBS) $(UDEV_LIBS) $(CRYPTO_LIBS) $(JQ_LIBS) $(PCRE2_LIBS) $(MHD_LIBS) $(MOSQUITTO_LIBS) -lm

# Hidden: base/json and libjansson, which José brings, both have a json_array().
CC_CMD  = $(CC) -std=gnu11 -D_GNU_SOURCE -fvisibility=hidden -DVERSION='"$(VERSION)"' -Ilib \
	$(WARN) $(HARD) $(CPPFLAGS) $(CFLAGS) -MMD -MP
LD_CMD  = $(CC) $(LINK) $(CFLAGS) $(LDFLAGS) -Wl,--as-needed

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2);)

.PHONY: all help programs oracle differ generate new demo check lint unit bats fuzz fuzz-targets system soak bench \
	install uninstall html readme deb cross release clean deps FORCE
all: $(TOOLS:%=$B/bin/%) $(HELPERS:%=$B/libexec/rejoin/%) $B/lib/$(ADU_SO)

# --- the packages needed, before anything is compiled for one of these goals
DEPS_FOR := $(filter demo check lint unit bats fuzz system soak bench deb cross,$(MAKECMDGOALS))
deps_of_lint = check
deps_of_unit = check
deps_of_bats = check
deps_of_system = system check
deps_of_bench = bench check
deps_of_soak = fuzz system check
deps:
	$(Q)DEPS='$(DEPS)' test/deps.sh build $(sort $(foreach g,$(DEPS_FOR),$(or $(deps_of_$g),$g)))

# A change of flags rebuilds; an unchanged one does not.
$B/flags: FORCE | $(if $(DEPS_FOR),deps)
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(CC_CMD) $(LD_CMD) $(LIBS_ALL))' >$@.new
	@cmp -s $@ $@.new && rm $@.new || mv $@.new $@

$B/%.o: %.c $B/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC_CMD) $(DIRS) -c -o $@ $<

# One module alone knows where things are installed.
$B/lib/base/dirs.o: private DIRS = -DVENDOR_DIR='"$(VENDORDIR)"' -DLIBEXEC_DIR='"$(LIBEXECDIR)"'
$B/lib/base/dirs.o: $B/vendordir
$B/vendordir: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(VENDORDIR) $(LIBEXECDIR) $(BINDIR)' | cmp -s - $@ || printf '%s\n' '$(VENDORDIR) $(LIBEXECDIR) $(BINDIR)' >$@

# What is the same in each page of output/html.h.
$B/page.c: $(wildcard lib/output/page/*)
	@mkdir -p $(@D)
	$(call say,GEN,$@)lib/output/page/page.sh >$@
$B/page.o: $B/page.c $B/flags
	$(call say,CC,$<)$(CC_CMD) -c -o $@ $<

$B/libcore.a: $(CORE:%.c=$B/%.o) $B/page.o
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

# The second is the same with a deadline that a test can wait for.
SHARED = $(CC_CMD) -fPIC -shared $(filter -fsanitize=%,$(LINK)) -Wl,-z,relro,-z,now -Wl,-z,nodelete -o $@ $<
$B/lib/$(ADU_SO): lib/adu/enumerator.c $B/flags $B/vendordir
	@mkdir -p $(@D)
	$(call say,CC,$@)$(SHARED) -DENUM_PATH='"$(BINDIR)/rejoin-enum"'
$B/tool/adu-enumerator-quick.so: lib/adu/enumerator.c $B/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)$(SHARED) -DDEADLINE_MS=500

define link
@mkdir -p $(@D)
$(call say,LD,$@)$(LD_CMD) -o $@ $^ $(LIBS_ALL) $(LIBS_MORE)
endef

# The tools that the entry point knows as ours.
$B/cmd/rejoin.o: private DIRS = -DTOOLS='"$(TOOLS)"'

$B/bin/%: $B/cmd/%.o $B/libcore.a
	$(link)
$B/libexec/rejoin/%: $B/cmd/libexec/%.o $B/libcore.a
	$(link)
$B/unit/%: $B/test/unit/%.o $B/libcore.a
	$(link)
$B/tool/http-double: LIBS_MORE = $(call libs,libmicrohttpd) -lpthread
$B/tool/relay: LIBS_MORE = -lpthread
$B/tool/kafkamock: LIBS_MORE = $(call libs,rdkafka)
$B/tool/%: $B/test/tool/%.o $B/libcore.a
	$(link)
$B/fuzz/%: $B/test/fuzz/%.o $B/libcore.a
	$(link)

$B/fault.so: test/fault/fault.c | $(if $(DEPS_FOR),deps)
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) -std=gnu11 -D_GNU_SOURCE -shared -fPIC $(WARN) -o $@ $< -ldl

# --- the tests.  test/check.sh runs them, counts, and prints the closing line.
check_with = B='$(CURDIR)/$B' CC='$(CC)' EMULATOR='$(EMULATOR)' SAN='$(SAN)' JOBS='$(JOBS)' test/proc.sh test/check.sh
UNITS_BUILT := $(UNITS:%=$B/unit/%)
BATS_BUILT  := $(TOOLS:%=$B/bin/%) $(HELPERS:%=$B/libexec/rejoin/%) $(AIDS:%=$B/tool/%) $B/lib/$(ADU_SO) $B/tool/adu-enumerator-quick.so $(if $(SAN),,$B/fault.so)

help:
	@sed -n 's/^#   \(make.*\)/\1/p' Makefile

# What the tests run, built and not run.
programs: $(BATS_BUILT) $(UNITS_BUILT)

# What comes from the tables of options is in the repository: no package needs to make it.
generate: $(TOOLS:%=$B/bin/%)
	$(Q)B='$B' test/generate/run.sh .
new:
	$(Q)test/new.sh '$(TOOL)'
	$(Q)$(MAKE) --no-print-directory generate

check: deps $(BATS_BUILT) $(UNITS_BUILT)
	$(Q)$(check_with) lint unit bats
lint: deps all
	$(Q)$(check_with) lint
unit: deps $(UNITS_BUILT) $(HELPERS:%=$B/libexec/rejoin/%)
	$(Q)$(check_with) unit
bats: deps $(BATS_BUILT)
	$(Q)T='$(T)' $(check_with) bats

# The library is built once, instrumented, and linked with each target.
FUZZTIME ?= 5
fuzz: deps
	$(Q)$(MAKE) --no-print-directory FUZZING=1 DEPS=none fuzz-targets
	$(Q)B='$(CURDIR)/build-fuzz' FUZZTIME='$(FUZZTIME)' JOBS='$(JOBS)' test/proc.sh test/check.sh fuzz
fuzz-targets: $(FUZZ:%=$B/fuzz/%)

# What is installed in there is built for there: its vendor directory is compiled in.
SYSTEM := B=build-system PREFIX=/usr SAN= DEPS=none
SYSTEM_GOALS := all build-system/tool/adu-loader
system: deps
	$(Q)$(MAKE) --no-print-directory $(SYSTEM) $(SYSTEM_GOALS)
	$(Q)B='$(CURDIR)/build-system' T='$(T)' test/check.sh system

soak: deps $(BATS_BUILT) $(UNITS_BUILT)
	$(Q)$(MAKE) --no-print-directory FUZZING=1 DEPS=none fuzz-targets
	$(Q)$(MAKE) --no-print-directory $(SYSTEM) $(SYSTEM_GOALS)
	$(Q)SOAK=1 $(check_with) unit bats
	$(Q)SOAK=1 B='$(CURDIR)/build-system' test/check.sh system
	$(Q)B='$(CURDIR)/build-fuzz' FUZZTIME=600 JOBS='$(JOBS)' test/proc.sh test/check.sh fuzz

bench: deps $(BATS_BUILT)
	$(Q)B='$(CURDIR)/$B' CC='$(CC)' test/bench/run.sh $(T)

# The oracle is a fixed commit: test/oracle.sh says where it goes.
SEED ?= 1
SEEDS ?= 200
oracle:
	$(Q)CC='$(CC)' test/oracle.sh
differ: $B/bin/rejoin-log $B/tool/log-mess $B/tool/log-script
	$(Q)B='$(CURDIR)/$B' CC='$(CC)' test/differ.sh $(SEED) $(SEEDS) $(MODES)

demo: deps all
	$(Q)B='$(CURDIR)/$B' test/proc.sh test/demo.sh

# --- install: what is installed does not depend on the machine that builds
# $(call put,MODE,FILES,DIRECTORY)
put = $(if $(strip $(2)),$(INSTALL) -d '$(DESTDIR)$(strip $(3))' && \
	$(INSTALL) -m $(1) $(2) '$(DESTDIR)$(strip $(3))')
UNITS_IN := $(wildcard packaging/systemd/*.in)
fill = sed -e 's|@bindir@|$(BINDIR)|g' -e 's|@vendordir@|$(VENDORDIR)|g'
VENDOR := agents.d codes.d formats.d rules.d examples

install: all
	$(call put,755,$(TOOLS:%=$B/bin/%),$(BINDIR))
	$(call put,755,$(HELPERS:%=$B/libexec/rejoin/%),$(LIBEXECDIR))
	$(call put,644,$B/lib/$(ADU_SO),$(ADUDIR))
	ln -sf rejoin-retry '$(DESTDIR)$(BINDIR)/adu-trigger-reprocess'
	$(call put,644,$(wildcard man/*.1),$(MANDIR)/man1)
	ln -sf rejoin-retry.1 '$(DESTDIR)$(MANDIR)/man1/adu-trigger-reprocess.1'
	$(call put,644,$(wildcard man/*.5),$(MANDIR)/man5)
	$(call put,644,$(wildcard man/*.7),$(MANDIR)/man7)
	$(call put,644,$(wildcard man/*.8),$(MANDIR)/man8)
	$(call put,644,$(wildcard completions/bash/*),$(BASHDIR))
	$(call put,644,$(wildcard completions/zsh/*),$(ZSHDIR))
	$(call put,644,$(wildcard completions/fish/*),$(FISHDIR))
	$(foreach d,$(VENDOR),$(call put,644,$(wildcard packaging/$d/*),$(VENDORDIR)/$d) $(if \
		$(wildcard packaging/$d/*),&&)) :
	$(call put,755,$(wildcard packaging/handlers.d/*),$(VENDORDIR)/handlers.d)
	# the examples name the programs and files of Debian's packages
	cd '$(DESTDIR)$(VENDORDIR)/examples' && \
		sed -i -e 's|/usr/share/rejoin|$(VENDORDIR)|g' -e 's|/usr/bin/rejoin|$(BINDIR)/rejoin|g' $(notdir $(wildcard packaging/examples/*))
	cd '$(DESTDIR)$(VENDORDIR)/examples' && chmod 755 $(notdir $(wildcard packaging/examples/*.sh))
	$(call put,644,$(wildcard packaging/tmpfiles.d/*),$(TMPFILESDIR))
	# of each profile with a group; its own configuration directory, so nothing of this machine but, without DESTDIR, its groups
	REJOIN_CONFIG_DIR='$(CURDIR)/packaging' $(EMULATOR) $B/libexec/rejoin/rejoin-tmpfiles $(if $(DESTDIR),,--here) '$(DESTDIR)$(TMPFILESDIR)'
	$(call put,644,$(wildcard packaging/sysusers.d/*),$(SYSUSERSDIR))
	$(INSTALL) -d '$(DESTDIR)$(UNITDIR)' '$(DESTDIR)$(RULESDIR)'
	for f in $(UNITS_IN:packaging/systemd/%.in=%); do \
		$(fill) "packaging/systemd/$$f.in" >'$(DESTDIR)$(UNITDIR)'/"$$f" || exit 1; done
	for f in $(patsubst packaging/udev/%.in,%,$(wildcard packaging/udev/*.in)); do \
		$(fill) "packaging/udev/$$f.in" >'$(DESTDIR)$(RULESDIR)'/"$$f" || exit 1; done

# In a staging directory, the directories that are empty now are taken away, too.
PLACES := $(BINDIR) $(SYSUSERSDIR) $(dir $(LIBEXECDIR)) $(dir $(ADUDIR)) $(dir $(VENDORDIR)) $(MANDIR)/man1 $(MANDIR)/man5 $(MANDIR)/man7 $(MANDIR)/man8 $(BASHDIR) $(ZSHDIR) $(FISHDIR) \
	$(UNITDIR) $(TMPFILESDIR) $(RULESDIR)
uninstall:
	rm -f $(TOOLS:%='$(DESTDIR)$(BINDIR)/%') $(HELPERS:%='$(DESTDIR)$(LIBEXECDIR)/%') '$(DESTDIR)$(ADUDIR)/$(ADU_SO)' '$(DESTDIR)$(BINDIR)/adu-trigger-reprocess' \
		'$(DESTDIR)$(MANDIR)/man1/adu-trigger-reprocess.1' \
		$(foreach s,1 5 7 8,$(patsubst man/%,'$(DESTDIR)$(MANDIR)/man$s/%',$(wildcard man/*.$s))) \
		$(patsubst completions/bash/%,'$(DESTDIR)$(BASHDIR)/%',$(wildcard completions/bash/*)) \
		$(patsubst completions/zsh/%,'$(DESTDIR)$(ZSHDIR)/%',$(wildcard completions/zsh/*)) \
		$(patsubst completions/fish/%,'$(DESTDIR)$(FISHDIR)/%',$(wildcard completions/fish/*)) \
		$(patsubst packaging/tmpfiles.d/%,'$(DESTDIR)$(TMPFILESDIR)/%',$(wildcard packaging/tmpfiles.d/*)) \
		$(patsubst packaging/agents.d/%,'$(DESTDIR)$(TMPFILESDIR)/rejoin-%',$(wildcard packaging/agents.d/*)) \
		$(patsubst packaging/sysusers.d/%,'$(DESTDIR)$(SYSUSERSDIR)/%',$(wildcard packaging/sysusers.d/*)) \
		$(patsubst packaging/systemd/%.in,'$(DESTDIR)$(UNITDIR)/%',$(UNITS_IN)) \
		$(patsubst packaging/udev/%.in,'$(DESTDIR)$(RULESDIR)/%',$(wildcard packaging/udev/*.in)) \
		$(foreach d,$(VENDOR) handlers.d,$(patsubst packaging/%,'$(DESTDIR)$(VENDORDIR)/%',$(wildcard packaging/$d/*)))
	-rmdir $(foreach d,$(VENDOR) handlers.d,'$(DESTDIR)$(VENDORDIR)/$d') '$(DESTDIR)$(VENDORDIR)' \
		'$(DESTDIR)$(LIBEXECDIR)' '$(DESTDIR)$(ADUDIR)' 2>/dev/null
	$(if $(DESTDIR),for d in $(PLACES); do \
		(cd '$(DESTDIR)' && rmdir -p --ignore-fail-on-non-empty ".$$d" 2>/dev/null) || :; done)

# The manual for a browser: one page each, and an index.
html: $(patsubst man/%,$B/html/%.html,$(wildcard man/*.[1-9])) $B/html/index.html
$B/html/%.html: man/% packaging/html/manual.css
	@mkdir -p $(@D)
	$(call say,HTML,$@)mandoc -Thtml -O style=manual.css,man=%N.%S.html $< >$@
	@cp packaging/html/manual.css $(@D)
$B/html/index.html: packaging/html/index.sh $(wildcard man/*.[1-9])
	@mkdir -p $(@D)
	$(call say,HTML,$@)packaging/html/index.sh >$@

readme: packaging/readme/terminal.svg
packaging/readme/terminal.svg: packaging/readme/terminal.awk packaging/readme/terminal.txt
	$(call say,GEN,$@)awk -f $^ >$@

# From a copy of what is committed, so that nothing else comes into a package.
deb: deps
	$(Q)packaging/debian/build.sh $B/deb

# The machine must reach a mirror of Debian: compiler and libraries come from there.
cross: deps
	$(Q)packaging/debian/cross.sh $B/cross $(ARCH)

# A release is a commit in which VERSION and the first line of NEWS agree, and a tag that says the same.
release:
	$(Q)test/release.sh '$(VERSION)'

clean:
	rm -rf build build-*

-include $(shell find $B -type f -name '*.d' 2>/dev/null)

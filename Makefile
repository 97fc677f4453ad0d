# Build, check and install the toolkit.  GNU make >= 4.0, no configure step.
#
#   make                       tools into build/bin/
#   make demo                  the main job, end to end, on our own agent
#   make check                 lint, unit tests, bats
#   make SAN=1 check           the same under ASan+UBSan, objects in build-san/
#   make fuzz FUZZTIME=60      each fuzz target for that many seconds (clang)
#   make install DESTDIR=... PREFIX=/usr
#   make V=1                   show the commands
#
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
BASHDIR    ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR     ?= $(PREFIX)/share/zsh/site-functions
FISHDIR    ?= $(PREFIX)/share/fish/vendor_completions.d
INSTALL    ?= install
PKG_CONFIG ?= pkg-config
BATS       ?= bats

# --- what the tree holds: one tool per cmd/*.c, one module per lib/ROOM/*.c
TOOLS := $(patsubst cmd/%.c,%,$(wildcard cmd/*.c))
UNITS := $(patsubst test/unit/%.c,%,$(wildcard test/unit/*.c))
CORE  := $(wildcard lib/*/*.c)

# --- flags: ours first, the user's last, so that the user wins
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wformat=2 -Wundef -Wvla -Wcast-qual \
	-Wpointer-arith -Wwrite-strings -Wstrict-prototypes \
	-Wmissing-prototypes -Wimplicit-fallthrough
ifdef SAN
B    := build-san
HARD := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LINK := -fsanitize=address,undefined
else
B    := build
HARD := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
LINK := -pie -Wl,-z,relro,-z,now
endif

# --- the libraries, looked for only when something is compiled; packagers may
# set the variables.  libjq has no .pc file before jq 1.7.
libs = $(or $(shell $(PKG_CONFIG) --libs $(1)),$(error no $(1): install its -dev package))
UDEV_LIBS   ?= $(call libs,libudev)
CRYPTO_LIBS ?= $(call libs,libcrypto)
JQ_LIBS     ?= $(or $(shell $(PKG_CONFIG) --libs libjq 2>/dev/null),-ljq)
LIBS_ALL     = $(UDEV_LIBS) $(CRYPTO_LIBS) $(JQ_LIBS)

CC_CMD  = $(CC) -std=gnu11 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -Ilib \
	$(WARN) $(HARD) $(CPPFLAGS) $(CFLAGS) -MMD -MP
LD_CMD  = $(CC) $(LINK) $(CFLAGS) $(LDFLAGS) -Wl,--as-needed

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2);)

.PHONY: all check lint unit bats fuzz install uninstall clean FORCE
all: $(TOOLS:%=$B/bin/%)

# A change of flags rebuilds; an unchanged one does not.
$B/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(CC_CMD) $(LD_CMD) $(LIBS_ALL))' >$@.new
	@cmp -s $@ $@.new && rm $@.new || mv $@.new $@

$B/%.o: %.c $B/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC_CMD) -c -o $@ $<

$B/libcore.a: $(CORE:%.c=$B/%.o)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$B/bin/%: $B/cmd/%.o $B/libcore.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(LD_CMD) -o $@ $^ $(LIBS_ALL)

$B/unit/%: $B/test/unit/%.o $B/libcore.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(LD_CMD) -o $@ $^ $(LIBS_ALL)

$B/fault.so: test/fault/fault.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) -std=gnu11 -D_GNU_SOURCE -shared -fPIC $(WARN) -o $@ $< -ldl

check: lint unit bats
lint: all
	$(Q)B=$B test/lint.sh
unit: $(UNITS:%=$B/unit/%)
	$(Q)for t in $^; do $$t || exit 1; done
bats: all $(if $(SAN),,$B/fault.so)
	$(Q)B='$(CURDIR)/$B' $(BATS) test

FUZZTIME ?= 5
fuzz: $(patsubst test/fuzz/%.c,build-fuzz/%,$(wildcard test/fuzz/*.c))
	$(Q)for t in $^; do $$t -max_total_time=$(FUZZTIME) || exit 1; done
build-fuzz/%: test/fuzz/%.c $(CORE) $(wildcard lib/*/*.h)
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)clang -g -O1 -fsanitize=fuzzer,address,undefined -std=gnu11 \
		-D_GNU_SOURCE -DVERSION='"fuzz"' -Ilib -o $@ $< $(CORE) $(LIBS_ALL)

install: all
	$(INSTALL) -d $(addprefix $(DESTDIR),$(BINDIR) $(MANDIR)/man1 $(MANDIR)/man7 \
		$(BASHDIR) $(ZSHDIR) $(FISHDIR))
	$(INSTALL) -m 755 $(TOOLS:%=$B/bin/%) $(DESTDIR)$(BINDIR)

clean:
	rm -rf build build-san build-fuzz

-include $(shell find $B -name '*.d' 2>/dev/null)

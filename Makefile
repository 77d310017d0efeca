# mt_ftp: `make help` lists the targets.

HOST ?=
PORT ?=
ROOT ?= ftp-root
PREFIX ?= /usr/local
CARGO ?= cargo
ARGS ?=
TARGET := $(shell rustc -vV | sed -n 's/^host: //p')
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
# The release date of this version. Without git, `make dist` uses it as the date of all files.
RELEASED = 1795305600
export SOURCE_DATE_EPOCH ?= $(or $(shell [ -e .git ] && git log -1 --format=%ct 2>/dev/null),$(RELEASED))

# cargo contacts the registry for [dev-dependencies] even if only tests use them. Programs and examples
# are therefore built with a manifest without them, which needs no network.
MANIFEST = target/programs/Cargo.toml
OFFLINE = --offline --manifest-path $(MANIFEST) --target-dir target
# `run-server` and `run-client` both build both programs: started in two terminals at the same time,
# the second waits for the first and then has nothing to build.
BUILD_QUICKLY = $(CARGO) build $(OFFLINE) --profile quick --bins
QUICK_PROGRAMS = $(CURDIR)/target/quick
# `make run-server TLS=1` creates this certificate if it is missing. It is outside ROOT, so clients
# cannot see it.
CERTIFICATE = $(ROOT:/=).pem

# `make dist` links OpenSSL into the programs unless TLS=none, because static programs cannot load it.
# Debian's libssl-dev has libssl.a and libcrypto.a in one directory.
TLS ?=
LIBSSL = $(if $(filter none,$(TLS)),,$(shell cc -print-file-name=libssl.a))
# Directory names of the build machine must not appear in the programs.
CARGO_HOME ?= $(HOME)/.cargo
DIST_RUSTFLAGS = -Ctarget-feature=+crt-static -Cstrip=symbols \
  '--remap-path-prefix=$(CURDIR)=mt_ftp' '--remap-path-prefix=$(CARGO_HOME)=cargo' \
  $(if $(LIBSSL),--cfg=tls_static '-Lnative=$(realpath $(dir $(LIBSSL)))')
DIST_FLAGS = --offline --manifest-path $(MANIFEST) --release --bins --target $(TARGET) \
  --target-dir target/dist
DIST = mt_ftp-$(VERSION)-$(TARGET)
# The files in examples/ that users need or that README shows.
SAMPLES = $(wildcard examples/*.conf examples/*.service examples/*.socket examples/*.plist \
  examples/Dockerfile examples/cluster examples/guide examples/*.svg examples/*.png \
  examples/bench/*.md examples/bench/*.svg)

.PHONY: help run-server run-client demo test check fmt bench bench-clients soak docs libssl dist \
  dist-check cross release-check install clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

$(MANIFEST): Cargo.toml
	@mkdir -p $(@D)
	@ln -sfn ../../src $(@D)/src
	@ln -sfn ../../examples $(@D)/examples
	@sed '/^\[dev-dependencies\]$$/,/^$$/d' Cargo.toml >$@.$$$$ && mv $@.$$$$ $@

run-server: $(MANIFEST) ## serve ROOT (ftp-root/, created if missing); HOST=, PORT= and ARGS= set options, TLS=1 enables FTPS
	@mkdir -p '$(ROOT)'
	$(BUILD_QUICKLY)
	$(if $(TLS),@[ -e '$(CERTIFICATE)' ] || '$(QUICK_PROGRAMS)/ftp_server' certificate '$(CERTIFICATE)')
	exec '$(QUICK_PROGRAMS)/ftp_server' --root '$(ROOT)' $(if $(TLS),--tls-cert '$(CERTIFICATE)') \
	  $(if $(HOST),--host '$(HOST)') $(if $(PORT),--port '$(PORT)') $(ARGS)

run-client: $(MANIFEST) ## start the client in ftp-client/; HOST= and PORT= connect, ARGS= adds options
	@mkdir -p ftp-client
	$(BUILD_QUICKLY)
	cd ftp-client && exec '$(QUICK_PROGRAMS)/ftp_client' $(ARGS) \
	  $(if $(HOST)$(PORT),'$(or $(HOST),127.0.0.1)' $(if $(PORT),'$(PORT)',1026))

demo: $(MANIFEST) ## run a server and a client that store, list and retrieve a file in a temporary directory
	@echo 'building both programs; the first time takes about a minute' >&2
	@$(BUILD_QUICKLY)
	@echo 'running a server and a client in a temporary directory, which is removed afterwards:' >&2
	@sh examples/demo.sh '$(QUICK_PROGRAMS)'

test: ## run the tests; the first time, cargo downloads two crates
	$(CARGO) test

check: ## check format, lints, tests and documentation; warnings are errors
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) test
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --no-deps

fmt: ## format the source
	$(CARGO) fmt

bench: $(MANIFEST) ## compare the speed of several servers; TLS=1, QUICK=1, ROUNDS=, BENCH_PEERS=
	$(CARGO) build $(OFFLINE) --release --bins --example ftp_load
	@$(foreach name,TLS QUICK ROUNDS BENCH_PEERS BENCH_DIR ROWS,$(if $($(name)),$(name)='$($(name))')) \
	  examples/bench/run.sh

bench-clients: $(MANIFEST) ## compare the speed of the client, curl, lftp and rclone; QUICK=1, ROUNDS=, BENCH_DIR=, ROWS=
	$(CARGO) build $(OFFLINE) --release --bins
	@$(foreach name,QUICK ROUNDS BENCH_DIR ROWS,$(if $($(name)),$(name)='$($(name))')) \
	  examples/bench/clients.sh

soak: $(MANIFEST) ## run 1,000,000 sessions (SOAK=); fails if the server's memory, descriptors or threads grow
	$(CARGO) build $(OFFLINE) --release --bins --example ftp_load
	@$(if $(SOAK),SOAK='$(SOAK)') examples/bench/soak.sh

docs: $(MANIFEST) ## write man pages and completions for bash, zsh and fish to target/docs
	@rm -rf target/docs
	$(CARGO) run $(OFFLINE) --quiet --example docs -- target/docs

libssl:
	@[ -z '$(LIBSSL)' ] || [ -e '$(LIBSSL)' ] || { \
	  echo 'make dist needs libssl-dev for TLS: install it, or use make dist TLS=none' >&2; exit 1; }

dist: libssl docs ## build static Linux programs with OpenSSL (TLS=none: without) and a tarball in dist/
	CARGO_ENCODED_RUSTFLAGS="$$(printf '%s\037' $(DIST_RUSTFLAGS) | sed 's/.$$//')" \
	  $(CARGO) build $(DIST_FLAGS)
	@rm -rf dist
	@mkdir -p 'dist/$(DIST)/bin'
	cp target/dist/$(TARGET)/release/ftp_server target/dist/$(TARGET)/release/ftp_client dist/
	@cp dist/ftp_server dist/ftp_client 'dist/$(DIST)/bin'
	@cp -R target/docs 'dist/$(DIST)/share'
	@cp README.md CHANGELOG.md LICENSE 'dist/$(DIST)'
	@for sample in $(SAMPLES); do \
	  mkdir -p "dist/$(DIST)/$$(dirname "$$sample")" && cp -R "$$sample" "dist/$(DIST)/$$sample"; done
	@chmod -R u=rwX,go=rX 'dist/$(DIST)'
	tar -C dist --sort=name --mtime=@$(SOURCE_DATE_EPOCH) --owner=0 --group=0 --numeric-owner \
	  --format=ustar -cf - '$(DIST)' | gzip -9n >'dist/$(DIST).tar.gz'
	@rm -r 'dist/$(DIST)'
	@ls -l dist

dist-check: dist ## repeat make dist in another directory, and fail unless the tarballs are identical
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && set -e && \
	cp -R Cargo.toml LICENSE Makefile README.md CHANGELOG.md src examples "$$dir" && \
	make --no-print-directory -C "$$dir" dist TLS='$(TLS)' >/dev/null && \
	cmp 'dist/$(DIST).tar.gz' "$$dir/dist/$(DIST).tar.gz" && \
	echo 'identical: dist/$(DIST).tar.gz'

cross: ## type-check for macOS and build for Windows with Debian's packages (INSTALL=1 installs them)
	.ci/cross $(if $(INSTALL),--install) all

release-check: ## check version, changelog, git tree and dist for a release, and print the tag's text
	@.ci/release-check

install: docs ## install programs, man pages and completions below PREFIX (/usr/local)
	$(CARGO) build $(OFFLINE) --release --bins
	install -d '$(DESTDIR)$(PREFIX)/bin'
	install -m 755 target/release/ftp_server target/release/ftp_client '$(DESTDIR)$(PREFIX)/bin/'
	cd target/docs && find . -type f | while read -r file; do \
	  install -d "$(DESTDIR)$(PREFIX)/share/$$(dirname "$$file")" && \
	  install -m 644 "$$file" "$(DESTDIR)$(PREFIX)/share/$$file" || exit; done

clean: ## remove build results, but not ftp-root/ and ftp-client/
	$(CARGO) clean
	rm -rf dist

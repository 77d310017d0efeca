# mt_ftp: `make help` lists the targets.

HOST ?=
PORT ?=
ROOT ?= ftp-root
PREFIX ?= /usr/local
CARGO ?= cargo
TARGET := $(shell rustc -vV | sed -n 's/^host: //p')
DIST_FLAGS = --release --bins --target $(TARGET) --target-dir target/dist

.PHONY: help run-server run-client demo test check fmt bench bench-clients soak dist install clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

run-server: ## serve ROOT (ftp-root/, made if missing); HOST= and PORT= override
	@mkdir -p '$(ROOT)'
	$(CARGO) run --release --bin ftp_server -- --root '$(ROOT)' \
	  $(if $(HOST),--host '$(HOST)') $(if $(PORT),--port '$(PORT)')

run-client: ## start the client; HOST= and PORT= connect it at once
	$(CARGO) run --release --bin ftp_client -- \
	  $(if $(HOST)$(PORT),'$(or $(HOST),127.0.0.1)' $(if $(PORT),'$(PORT)',1026))

demo: ## a server and a client show each other what they can
	@$(CARGO) build --quiet --release --bins
	@sh examples/demo.sh target/release

test: ## run the tests that need nothing but Rust
	$(CARGO) test

check: ## format, lints, tests and documentation, warnings denied
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) test
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --no-deps

fmt: ## format the source
	$(CARGO) fmt

bench: ## hold the server against others that are installed; QUICK=1, ROUNDS=, BENCH_PEERS=
	$(CARGO) build --release --bins --example ftp_load
	@$(foreach name,QUICK ROUNDS BENCH_PEERS BENCH_DIR ROWS,$(if $($(name)),$(name)='$($(name))')) \
	  examples/bench/run.sh

bench-clients: ## hold the client against curl and lftp; QUICK=1, ROUNDS=, BENCH_DIR=, ROWS=
	$(CARGO) build --release --bins
	@$(foreach name,QUICK ROUNDS BENCH_DIR ROWS,$(if $($(name)),$(name)='$($(name))')) \
	  examples/bench/clients.sh

soak: ## 1,000,000 logins, listings and small files (SOAK=); fails if the server grew
	$(CARGO) build --release --bins --example ftp_load
	@$(if $(SOAK),SOAK='$(SOAK)') examples/bench/soak.sh

dist: ## static programs in dist/ that run on another Linux machine as they are
	RUSTFLAGS='-C target-feature=+crt-static' $(CARGO) build $(DIST_FLAGS)
	@mkdir -p dist
	cp target/dist/$(TARGET)/release/ftp_server target/dist/$(TARGET)/release/ftp_client dist/
	@strip dist/ftp_server dist/ftp_client 2>/dev/null || true
	@ls -l dist

install: ## install both programs below PREFIX (/usr/local)
	$(CARGO) build --release --bins
	install -d '$(DESTDIR)$(PREFIX)/bin'
	install -m 755 target/release/ftp_server target/release/ftp_client '$(DESTDIR)$(PREFIX)/bin/'

clean: ## remove what was built; ftp-root/ stays
	$(CARGO) clean
	rm -rf dist

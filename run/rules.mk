# make run and its kin.  Settings (see run/lib/FcfRun.pm) may be given as
# "make run GATEWAY_PORT=8081": make puts them into the environment.

.PHONY: run stop clean-run deploy deps help

run: deps
	@mkdir -p build
	@echo 'fcfaas: building (its output: build/build.log)'
	@$(MAKE) --no-print-directory V=release targets >build/build.log 2>&1 \
	    || { tail -n 20 build/build.log; exit 1; }
	@run/up

stop:
	@run/down

clean-run:
	@run/down clean

deploy:
	@run/deploy '$(DIR)' '$(NAME)' '$(SPEC)'

deps:
	@run/deps run

help:
	@echo 'make             builds into build/release (V=asan, V=clang: there)'
	@echo 'make run         installs what is missing, builds, starts the whole'
	@echo '                 system on 127.0.0.1:8080; Ctrl-C or make stop ends'
	@echo 'make stop        ends it; what is deployed is there the next time'
	@echo 'make clean-run   ends it, and forgets what is deployed'
	@echo 'make deploy DIR=path [NAME=name] [SPEC={...}]   adds a function'
	@echo 'make install     puts it in its place: DESTDIR= PREFIX=/usr/local'
	@echo 'make deb         packages of Debian, into build/deb'
	@echo 'make deps        only installs what make run needs'
	@echo 'make test        every test; test-unit, test-gateway, test-other,'
	@echo '                 test-e2e: a part; test-kernel: on the small kernel;'
	@echo '                 test-system: the packages, under a real systemd'
	@echo 'make clean       stops it and removes build/'
	@echo 'Settings of make run, with defaults:'
	@sed -n 's/^ *\[\([A-Z_]*\) *=> *\(.*\)\],/    \1 = \2/p' \
	    run/lib/FcfRun.pm

clean: clean-run

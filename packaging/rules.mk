# make install: see packaging/install for what it puts where, and for its
# variables, which make puts into the environment.  make deb: Debian's packages
# of the same, into build/deb, of the release build and all runtimes that
# guests have.

PROVE_FILES += t/system/install.t t/system/deb.t t/system/boot.t \
    t/system/ca.t t/system/join.t t/system/several.t t/system/upgrade.t \
    t/system/cut.t t/system/backup.t t/system/services.t

.PHONY: install deb test-system
install: targets
	@B=$(B) packaging/install

deb:
	@$(MAKE) --no-print-directory V=release targets \
	    $(VM)/runtimes/python3.img $(VM)/runtimes/node.img
	@packaging/deb

# what is installed, in a Debian with a systemd of its own
test-system: deb
	run/deps test
	@FCF_BUILD=$(B) t/suite t/system/boot.t t/system/several.t \
	    t/system/upgrade.t t/system/cut.t t/system/backup.t

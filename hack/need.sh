#!/bin/sh
# need.sh THING...: makes sure that each thing is on this machine, installing it where we know how.
#   postgres    the PostgreSQL server programs; no cluster is made and no server started
#   gcc         a C compiler with headers, which the race detector needs
#   make        make itself, for CI
#   prometheus  the programs prometheus and promtool, for tests; no server is started
# Says nothing when nothing is missing. Uses sudo when not root.
set -eu

has_postgres() {
	if [ -n "${TIDINGS_POSTGRES_BIN:-}" ]; then [ -x "$TIDINGS_POSTGRES_BIN/initdb" ]; return; fi
	command -v initdb >/dev/null && command -v postgres >/dev/null && return
	# The same places as internal/postgres looks at.
	for dir in /usr/lib/postgresql/*/bin /usr/libexec/postgresql* /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin \
		/usr/local/opt/postgresql*/bin /home/linuxbrew/.linuxbrew/opt/postgresql*/bin \
		/Applications/Postgres.app/Contents/Versions/*/bin; do
		[ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && return
	done
	return 1
}

has_gcc() {
	echo '#include <stdlib.h>
int main(void) { return 0; }' | "${CC:-gcc}" -x c - -o /dev/null 2>/dev/null
}

has_make() { command -v make >/dev/null; }

# Where we put Prometheus when nobody else has; deploy/programs.go looks there too.
prometheus_dir=$(dirname "$0")/../.bin/prometheus

has_prometheus() {
	if [ -n "${TIDINGS_PROMETHEUS_BIN:-}" ]; then
		[ -x "$TIDINGS_PROMETHEUS_BIN/prometheus" ] && [ -x "$TIDINGS_PROMETHEUS_BIN/promtool" ]; return
	fi
	command -v prometheus >/dev/null && command -v promtool >/dev/null && return
	"$prometheus_dir/prometheus" --version >/dev/null 2>&1 && "$prometheus_dir/promtool" --version >/dev/null 2>&1
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"
	elif command -v sudo >/dev/null; then sudo "$@"
	else give_up "you are not root and there is no sudo"
	fi
}

give_up() {
	echo "cannot install $thing: $1." >&2
	case $thing in
	postgres) echo "Install the PostgreSQL server programs (initdb and postgres, 14 or later): Debian, Ubuntu: postgresql;
Fedora: postgresql-server; Alpine: postgresql; macOS: brew install postgresql. Or name the directory that
holds them in TIDINGS_POSTGRES_BIN." >&2 ;;
	gcc) echo "Install a C compiler with the C library's headers: Debian, Ubuntu: gcc libc6-dev; Fedora: gcc glibc-devel;
Alpine: gcc musl-dev; macOS: xcode-select --install." >&2 ;;
	make) echo "Install GNU make: the package is called make everywhere." >&2 ;;
	prometheus) echo "Install Prometheus with promtool (Debian, Ubuntu, Alpine, Homebrew: prometheus), or name the directory that holds the
two programs in TIDINGS_PROMETHEUS_BIN." >&2 ;;
	esac
	exit 1
}

apt() {
	# A list that is missing or too old is fetched once; a fresh one is not fetched again.
	apt_install "$@" || { as_root apt-get update -q </dev/null >&2 && apt_install "$@"; } || give_up "apt-get failed"
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
		-o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=120 "$@" </dev/null >&2
}

# Debian's package makes a system-wide cluster and starts it, unless told not to before it comes.
# What we tell it is taken back afterwards.
apt_postgres() {
	conf=/etc/postgresql-common/createcluster.conf
	mark='create_main_cluster = false # while tidings installs the programs'
	apt postgresql-common
	echo "$mark" | as_root tee -a "$conf" >/dev/null
	trap 'as_root sed -i "/# while tidings installs the programs\$/d" "$conf"' EXIT
	apt postgresql
	as_root sed -i "/# while tidings installs the programs\$/d" "$conf"
	trap - EXIT
}

# Debian's package starts a server, and brings a page's worth of JavaScript: we only take the programs out of it, which
# needs no root.
apt_prometheus() {
	mkdir -p "$prometheus_dir"
	fetched=$(mktemp -d "$prometheus_dir/fetch.XXXXXX")
	trap 'rm -rf "$fetched"' EXIT
	fetch_prometheus || { as_root apt-get update -q </dev/null >&2 && fetch_prometheus; } || give_up "apt-get failed"
	dpkg-deb -x "$fetched"/*.deb "$fetched/all"
	mv "$fetched/all/usr/bin/prometheus" "$fetched/all/usr/bin/promtool" "$prometheus_dir"
	rm -rf "$fetched"
	trap - EXIT
}

# Without the sandbox's user, who may not write where we build.
fetch_prometheus() (
	cd "$fetched" && apt-get download -q -o APT::Sandbox::User=root prometheus </dev/null >&2
)

install() {
	if [ "$thing" = prometheus ] && [ -n "${TIDINGS_PROMETHEUS_BIN:-}" ]; then
		give_up "TIDINGS_PROMETHEUS_BIN=$TIDINGS_PROMETHEUS_BIN does not hold both programs"
	fi
	if [ "$thing" = postgres ] && [ -n "${TIDINGS_POSTGRES_BIN:-}" ]; then
		give_up "TIDINGS_POSTGRES_BIN=$TIDINGS_POSTGRES_BIN holds no initdb"
	fi
	echo "installing $thing ..." >&2
	if command -v apt-get >/dev/null; then
		case $thing in
		postgres) apt_postgres ;;
		gcc) apt gcc libc6-dev ;;
		make) apt make ;;
		prometheus) apt_prometheus ;;
		esac
	elif command -v apk >/dev/null; then
		case $thing in
		postgres) as_root apk add --no-cache postgresql >&2 ;;
		gcc) as_root apk add --no-cache gcc musl-dev >&2 ;;
		make) as_root apk add --no-cache make >&2 ;;
		prometheus) as_root apk add --no-cache prometheus >&2 ;; # its service stays off until it is added to a runlevel
		esac
	elif command -v brew >/dev/null; then
		case $thing in
		postgres) brew install postgresql@17 >&2 ;;
		gcc) give_up "the compiler of macOS is not Homebrew's to install" ;;
		make) brew install make >&2 ;;
		prometheus) brew install prometheus >&2 ;; # without brew services nothing starts
		esac
	else
		give_up "there is neither apt-get, apk nor brew"
	fi
}

for thing; do
	case $thing in
	postgres | gcc | make | prometheus) ;;
	*) echo "need.sh: unknown thing $thing" >&2; exit 2 ;;
	esac
	"has_$thing" && continue
	install
	"has_$thing" || give_up "it was installed but is not found"
done

#!/usr/bin/env bash
# Set up this checkout: system packages, virtual environment, pinned dependencies, the project.
#
#   scripts/setup.sh demo   what the demo and the services need
#   scripts/setup.sh test   that, and what the tests and development need
#
# Safe to run again at any time: what is there is left alone, and a run with nothing to do takes
# well under a second. PYTHON names the interpreter to use (3.11 or later); without it the first
# suitable one on PATH is taken.
#
# About the system packages:
# - They are installed by apt-get, with sudo when not root, after saying which and why.
# - Debian starts a server when its package is installed. PortSeal runs its own private slapd and
#   PostgreSQL on temporary directories and never talks to the system's. For PostgreSQL the
#   creation of the system's cluster is switched off while the package is installed, so nothing
#   stays running. While nginx is installed no service may start; the tests run their own nginx and
#   apache2 on loopback. slapd's package has no such switch: its empty directory service is started on
#   port 389, and `systemctl disable --now slapd` stops it for good if nothing else here uses it.
# - Ubuntu has Chromium only as a snap, which cannot be driven from here: there the browser tests
#   use Google Chrome or Playwright's own Chromium when one is installed, and are skipped otherwise.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

profile="${1:-test}"
case "$profile" in
    demo) requirements=requirements.txt ;;
    test) requirements=requirements-dev.txt ;;
    *) echo "usage: scripts/setup.sh demo|test" >&2; exit 2 ;;
esac
venv=.venv
log=var/setup.log

say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }

# --- system packages ------------------------------------------------------------------------------

missing=()   # Debian's package names
reasons=()   # what each is for, one line each

need() {  # package, purpose: note a package as missing
    missing+=("$1")
    reasons+=("$(printf '%-18s %s' "$1" "$2")")
}

has_command() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }
has_file() { compgen -G "$1" >/dev/null; }
is_ubuntu() { grep -qs '^ID=ubuntu' /etc/os-release; }

check_demo_packages() {
    has_command softhsm2-util || need softhsm2 "PKCS#11 tokens in software"
    has_command slapd || need slapd "LDAP directory that certificates and CRLs are published to"
    has_command ldapsearch || need ldap-utils "reads the directory back, independently"
    has_command xmlsec1 || need xmlsec1 "verifies XML signatures, independently"
    has_command openssl || need openssl "verifies everything else, independently"
}

check_test_packages() {
    if ! is_ubuntu && { has_command chromium || ! has_command google-chrome; }; then
        has_command chromium || need chromium "browser that drives the portal in the tests"
        has_file /usr/lib/chromium/locales/zh-CN.pak \
            || need chromium-l10n "that browser's own words in Chinese, for pictures of pages"
    fi
    has_file '/usr/lib/*/libatomic.so.1' || need libatomic1 "Playwright's driver is linked with it"
    has_file '/usr/share/fonts/opentype/noto/NotoSansCJK*' \
        || need fonts-noto-cjk "Chinese text in visible seals and in screenshots"
    has_command initdb || has_file '/usr/lib/postgresql/*/bin/initdb' \
        || need postgresql "the storage tests run on it besides SQLite"
    has_command swtpm || need swtpm "TPM in software, for a token that locks"
    has_file '/usr/lib/*/libtss2-tcti-swtpm.so.0' \
        || need libtss2-tcti-swtpm0 "speaks to that TPM"
    has_file '/usr/lib/*/pkcs11/libtpm2_pkcs11.so' \
        || need libtpm2-pkcs11-1 "PKCS#11 token on that TPM"
    has_command tpm2_ptool || need libtpm2-pkcs11-tools "brings a key of ours into that token"
    has_command tpm2_flushcontext || need tpm2-tools "ends that TPM's lockout"
    has_command p11-kit || need p11-kit "serves a token from a process that a test can kill"
    has_file '/usr/lib/*/pkcs11/p11-kit-client.so' \
        || need p11-kit-modules "reaches such a token"
    has_file '/usr/lib/*/libsoftokn3.so' || need libnss3 "a third make of PKCS#11 token"
    has_command certutil || need libnss3-tools "prepares that token"
    has_command pinentry-tty || need pinentry-tty "asks for PINs in a terminal, beside the key agent's own way"
    has_command pinentry-curses || need pinentry-curses "the same, drawing a window"
    has_command tsc || need node-typescript "checks the types that the scripts of pages declare"
    has_command wrk || need wrk "load for the benchmarks over HTTP"
    has_command nginx || need nginx "the proxy that asks browsers for TLS client certificates"
    has_command apache2 || need apache2-bin "a platform that signs people in, of strangers' making"
    has_file '/usr/lib/apache2/modules/mod_auth_openidc.so' \
        || need libapache2-mod-auth-openidc "that platform's OpenID Connect client"
    has_command curl || need curl "signs in over TLS with a card's key, independently"
    has_file '/usr/lib/*/engines-*/pkcs11.so' \
        || need libengine-pkcs11-openssl "lets that client use a key in a token"
    has_command pkcs11-tool || need opensc "reads tokens, independently"
    has_command zip || need zip "makes containers that this house did not make"
    has_command unzip || need unzip "reads containers, independently"
    has_command pipx || need pipx "installs the key agent as its holders do"
    has_command pdftotext || need poppler-utils "reads printed reports back, independently"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq \
        -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 "$@" </dev/null >>"$log" 2>&1
}

without_system_cluster() {  # run a command while postgresql-common creates no cluster by default
    local directory=/etc/postgresql-common/createcluster.d
    local file="$directory/portseal-setup.conf" status=0
    as_root mkdir -p "$directory"
    echo "create_main_cluster = false" | as_root tee "$file" >/dev/null
    "$@" || status=$?
    as_root rm -f "$file"
    return "$status"
}

without_new_services() {  # run a command while packages may start no service (nginx has no switch)
    local policy=/usr/sbin/policy-rc.d status=0
    if [ -e "$policy" ]; then "$@"; return; fi
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    "$@" || status=$?
    as_root rm -f "$policy"
    return "$status"
}

install_packages() {
    [ "${#missing[@]}" -gt 0 ] || return 0
    say "these system packages are missing:"
    printf '         %s\n' "${reasons[@]}"
    has_command apt-get || fail "no apt-get here; install them in your system's own way"
    [ "$(id -u)" -eq 0 ] || has_command sudo \
        || fail "not root and no sudo here; as root run: apt-get install ${missing[*]}"
    say "installing them with apt-get (its output: $log)"
    mkdir -p var
    has_file '/var/lib/apt/lists/*_Packages*' || apt update
    local install=(apt install -y --no-install-recommends "${missing[@]}")
    case " ${missing[*]} " in
        *" postgresql "*) install=(without_system_cluster "${install[@]}") ;;
    esac
    case " ${missing[*]} " in
        *" nginx "*) install=(without_new_services "${install[@]}") ;;
    esac
    # Stale lists name versions that are gone: refresh them once and try again.
    if ! "${install[@]}" && ! { apt update && "${install[@]}"; }; then
        tail -n 20 "$log" >&2
        fail "apt-get could not install: ${missing[*]}"
    fi
    case " ${missing[*]} " in
        *" slapd "*) say "slapd's package may have started a system directory service of its own;" \
            "PortSeal does not use it (systemctl disable --now slapd stops it)" ;;
    esac
}

# --- Python ---------------------------------------------------------------------------------------

is_suitable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    local candidate
    if [ -n "${PYTHON:-}" ]; then
        is_suitable "$PYTHON" || fail "PYTHON=$PYTHON is not a Python 3.11 or later"
        echo "$PYTHON"
        return
    fi
    for candidate in python3 python3.13 python3.12 python3.11; do
        if is_suitable "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "no Python 3.11 or later found; set PYTHON to one"
}

check_venv_module() {
    "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 && return
    # Debian splits venv off its own interpreter; any other interpreter must bring it along.
    case "$("$python" -c 'import sys; print(sys.base_prefix)')" in
        /usr) need "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv" \
            "virtual environments" ;;
        *) fail "$python lacks the modules venv and ensurepip" ;;
    esac
}

# What the environment was made from. A change of interpreter makes a new one; a change of pins or
# of the project's own metadata installs again.
interpreter_key() { "$1" -c 'import sys; print(sys.version.split()[0], sys.base_prefix)'; }
contents_key() {
    # A new top-level package changes what an editable installation must know.
    { pwd; interpreter_key "$python"; ls -d ./*/__init__.py; cat "$1" pyproject.toml scripts/setup.sh; } \
        | sha256sum | cut -d' ' -f1
}

make_environment() {
    local stamp="$venv/setup-$profile" key
    key="$(contents_key "$requirements")"
    [ "$(cat "$stamp" 2>/dev/null)" = "$key" ] && return
    if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1 \
        || [ "$(interpreter_key "$venv/bin/python")" != "$(interpreter_key "$python")" ]; then
        say "creating $venv with $("$python" --version)"
        rm -rf "$venv"
        "$python" -m venv "$venv"
    fi
    local pip=("$venv/bin/python" -m pip --disable-pip-version-check --no-input)
    say "installing the pinned dependencies of $requirements"
    "${pip[@]}" install --quiet --require-hashes --only-binary :all: -r "$requirements"
    say "installing portseal"
    "${pip[@]}" install --quiet --no-deps --no-build-isolation --editable .
    echo "$key" >"$stamp"
    # The test environment holds everything that the demo needs.
    if [ "$profile" = test ]; then
        contents_key requirements.txt >"$venv/setup-demo"
    fi
}

# An S3-compatible server of strangers' making, for the archive's tests. Debian has none, so it is
# built from its source where there is a Go, which vouches for it by its checksum database; some
# minutes the first time. Without it those tests say that they were left out.
versitygw=1.8.0

has_go() { [[ "$(go env GOVERSION 2>/dev/null)" =~ ^go1\.(2[5-9]|[3-9][0-9]) ]]; }

make_s3_server() {
    local stamp="$venv/setup-versitygw"
    [ "$(cat "$stamp" 2>/dev/null)" = "$versitygw" ] && return
    if ! has_go; then
        say "no Go of 1.25 or later: the archive's tests on an S3 server are left out"
        return
    fi
    mkdir -p var
    say "building versitygw $versitygw, an S3 server for the tests (its output: $log)"
    if GOBIN="$PWD/$venv/bin" GOTOOLCHAIN=local CGO_ENABLED=0 \
        timeout 600 go install "github.com/versity/versitygw/cmd/versitygw@v$versitygw" >>"$log" 2>&1
    then
        echo "$versitygw" >"$stamp"
    else
        say "versitygw could not be built: the archive's tests on an S3 server are left out"
    fi
}

compile_catalogues() {
    local po mo
    for po in */translations/*/LC_MESSAGES/*.po; do
        mo="${po%.po}.mo"
        if [ -e "$po" ] && [ ! "$mo" -nt "$po" ]; then
            say "compiling $po"
            "$venv/bin/pybabel" --quiet compile --input-file "$po" --output-file "$mo" \
                --locale "$(basename "$(dirname "$(dirname "$po")")")"
        fi
    done
}

python="$(find_python)"
check_venv_module
check_demo_packages
if [ "$profile" = test ]; then check_test_packages; fi
install_packages
make_environment
if [ "$profile" = test ]; then make_s3_server; fi
compile_catalogues

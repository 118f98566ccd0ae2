# Sourced by the commands of the Makefile: where what is built lies, and what a machine needs before anything builds.
#
# Nothing is installed into the repository. Cargo's output and the two cargo commands we add lie in the user's cache
# folder, so a fresh clone builds as fast as the last one.

sotto_cache="${XDG_CACHE_HOME:-$HOME/.cache}/sotto"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$sotto_cache/target}"
export PATH="$PATH:$HOME/.cargo/bin:$sotto_cache/tools/bin"

rust_min=1.95
nextest_version=0.9.143
deny_version=0.20.2
fuzz_version=0.13.2

say() { printf '\n== %s\n' "$*"; }
stop() {
    printf 'sotto: %s\n' "$*" >&2
    exit 1
}

has_library() { /sbin/ldconfig -p | grep -F "$1 " >/dev/null; }
has_file() { compgen -G "$1" >/dev/null; }

# The least set of Debian packages: a C compiler and headers for SQLite, SQLCipher and aws-lc; perl and make for the
# OpenSSL inside SQLCipher. For `tests` also strace, for the one that watches the relay's fdatasync, and Mesa's software
# renderer, for pictures of the window, and Chromium for the relay's pages; for `spec` Python with its environments. For `window` what the window opens while it
# runs, for `display` a display without a screen, hands for it, and a camera.
need_packages() {
    local missing=()
    command -v gcc >/dev/null || missing+=(gcc)
    [ -e /usr/include/stdio.h ] || missing+=(libc6-dev)
    command -v make >/dev/null || missing+=(make)
    perl -MFindBin -MIPC::Cmd -e 1 2>/dev/null || missing+=(perl)
    if [ "${1:-}" = tests ]; then
        command -v strace >/dev/null || missing+=(strace)
        has_library libvulkan.so.1 || missing+=(libvulkan1)
        has_file '/usr/share/vulkan/icd.d/lvp_icd*' || missing+=(mesa-vulkan-drivers)
        command -v chromium >/dev/null || missing+=(chromium)
    fi
    case "${1:-}" in window | display)
        has_library libEGL.so.1 || missing+=(libegl1)
        has_library libGL.so.1 || missing+=(libgl1)
        has_file '/usr/lib/*/dri/*_dri.so' || missing+=(libgl1-mesa-dri)
        has_library libX11-xcb.so.1 || missing+=(libx11-xcb1)
        has_library libXcursor.so.1 || missing+=(libxcursor1)
        has_library libXi.so.6 || missing+=(libxi6)
        has_library libXrandr.so.2 || missing+=(libxrandr2)
        has_library libxkbcommon-x11.so.0 || missing+=(libxkbcommon-x11-0)
        has_library libwayland-client.so.0 || missing+=(libwayland-client0)
        ;;
    esac
    if [ "${1:-}" = display ]; then
        command -v Xvfb >/dev/null || missing+=(xvfb)
        command -v xdotool >/dev/null || missing+=(xdotool)
        command -v import >/dev/null || missing+=(imagemagick)
        has_file '/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf' || missing+=(fonts-noto-color-emoji)
    fi
    if [ "${1:-}" = spec ]; then
        python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    fi
    if [ "${1:-}" = package ]; then
        command -v dpkg-shlibdeps >/dev/null || missing+=(dpkg-dev)
        command -v desktop-file-validate >/dev/null || missing+=(desktop-file-utils)
        command -v appstreamcli >/dev/null || missing+=(appstream)
        command -v strip >/dev/null || missing+=(binutils)
    fi
    [ ${#missing[@]} -gt 0 ] || return 0

    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        sudo -n true 2>/dev/null || stop "please install these packages, then try again: ${missing[*]}"
        root=(sudo -n)
    fi
    command -v apt-get >/dev/null || stop "please install these packages (Debian's names), then try again: ${missing[*]}"
    say "installing ${missing[*]}"
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null
}

need_rust() {
    command -v cargo >/dev/null || stop "please install Rust $rust_min or newer (rustup, rust-lang.org), then try again"
    local found
    found=$(rustc --version | cut -d' ' -f2)
    [ "$(printf '%s\n' "$rust_min" "$found" | sort -V | head -n 1)" = "$rust_min" ] ||
        stop "Rust $rust_min or newer is needed, this is $found: 'rustup update stable' brings it"
}

# A component that comes with Rust: its command, and rustup's name of it.
need_component() {
    "$1" --version >/dev/null 2>&1 && return 0
    command -v rustup >/dev/null || stop "please install Rust's component $2, then try again"
    rustup component add "$2"
}

# A cargo command: its name and the version that is built where none is there.
need_cargo_command() {
    "$1" --version >/dev/null 2>&1 && return 0
    say "building $1 $2 (once, a few minutes)"
    env -u CARGO_TARGET_DIR cargo install "$1" --version "$2" --locked --quiet --root "$sotto_cache/tools"
}

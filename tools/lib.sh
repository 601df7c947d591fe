# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Shared by tools/test, demo, bench and fuzz: what must be installed, how to build, how to count.
# Sourced, never run.
set -euo pipefail
export LC_ALL=C PYTHONDONTWRITEBYTECODE=1

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf '%s\n' "$*" >&2; }
die() {
    say "$(basename "$0"): $*"
    exit 1
}
usage_error() {
    say "$(basename "$0"): $* (try --help)"
    exit 2
}

# ---- where to build: build/, or a folder of one's own where build/ is somebody else's -----------
cache=${XDG_CACHE_HOME:-${TMPDIR:-/tmp}}/svmcore-$UID

# private_folder FOLDER: ours alone, or the reason why there is none.
private_folder() {
    local why

    why=$( (umask 077 && mkdir -p "$1") 2>&1) || die "no folder to build in: $why"
    { [ -O "$1" ] && [ -w "$1" ]; } || die "no folder to build in: $1 belongs to somebody else"
}

# writable FOLDER: it and what lies right in it can be written.
writable() {
    mkdir -p "$1" 2>/dev/null && [ -z "$(find "$1" -maxdepth 1 ! -writable -print -quit 2>&1)" ]
}

build=$root/build
downloads=$build/cache # what a test needs from outside and nobody installs
if ! writable "$build" || ! writable "$build/log"; then
    private_folder "$cache"
    downloads=$cache/downloads
    build=$cache/$(cksum <<<"$root" | cut -d' ' -f1) # one a tree
    mkdir -p "$build/log"
fi
export SVMC_BUILDS=$build # where the checks look for what was built

# ---- what must be installed: "package command"; "-" where no command shows it ------------------
packages_build='gcc gcc
libc6-dev -
meson meson
ninja-build ninja
pkg-config pkg-config
python3 python3'
packages_crypto='libsodium-dev -
libssl-dev -'
packages_clang='clang clang
libclang-rt-dev -
llvm llvm-objdump'
packages_bench='libzydis-dev -
libsodium-dev -
libssl-dev -
libcapstone-dev -
llvm-dev llvm-config
valgrind valgrind
binutils objcopy
libc6-arm64-cross -
libc6-riscv64-cross -
libc6-s390x-cross -'
packages_eva='frama-c-base frama-c'
packages_model='spin spin'
packages_vmware='open-vm-tools vmware-checkvm
fuse3 fusermount3'
packages_test="llvm-19-dev llvm-config-19
binutils-dev -
libsodium-dev -
libssl-dev -
libgcrypt20-dev -
python3-cryptography-vectors -
python3-pykmip pykmip-server
libunicorn-dev -
binutils-multiarch-dev -
g++ g++
binutils objdump
clang-format clang-format
shellcheck shellcheck
valgrind valgrind
libcriterion-dev -
gcc-aarch64-linux-gnu aarch64-linux-gnu-gcc
libc6-dev-arm64-cross -
gcc-riscv64-linux-gnu riscv64-linux-gnu-gcc
libc6-dev-riscv64-cross -
gcc-s390x-linux-gnu s390x-linux-gnu-gcc
libc6-dev-s390x-cross -
qemu-user-static qemu-s390x-static
qemu-system-x86 qemu-system-x86_64
qemu-system-arm qemu-system-aarch64
qemu-system-misc qemu-system-riscv64
busybox-static busybox
cpio cpio"

is_debian() { command -v dpkg-query >/dev/null && command -v apt-get >/dev/null; }

# need SETS: installs what is missing of the given package sets; quiet when nothing is.
need() {
    local wanted missing names as_root=()

    wanted=$(printf '%s\n' "$@" | sed '/^$/d')
    if ! is_debian; then
        missing=$(while read -r package program; do
            [ "$program" = - ] || command -v "$program" >/dev/null || echo "$program($package)"
        done <<<"$wanted")
        [ -z "$missing" ] || die "not a Debian system, and these commands are missing:" $missing
        return 0
    fi
    names=$(cut -d' ' -f1 <<<"$wanted")
    # shellcheck disable=SC2086
    missing=$(comm -23 <(sort -u <<<"$names") <(dpkg-query -W \
        -f='${db:Status-Status} ${Package}\n' $names 2>/dev/null | sed -n 's/^installed //p' |
        sort -u))
    [ -n "$missing" ] || return 0

    say "installing:" $missing
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "not root and no sudo; install these packages:" $missing
        as_root=(sudo)
    fi
    # shellcheck disable=SC2086
    if ! { "${as_root[@]}" apt-get -q update && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y --no-install-recommends install $missing; } >"$build/log/apt.log" 2>&1; then
        tail -n 20 "$build/log/apt.log" >&2
        die "apt-get failed ($build/log/apt.log); install these packages by hand:" $missing
    fi
}

kernel_package() {
    apt-cache depends linux-image-cloud-amd64 2>/dev/null |
        awk '/Depends: linux-image/ && !n++ { print $2 }'
}

# need_kernel: a stock Debian kernel below $downloads/kernel, unpacked and never installed. Without
# one the test that wants it says so.
need_kernel() {
    local package folder

    [ ! -d "$downloads/kernel" ] || return 0
    is_debian && [ "$(dpkg --print-architecture)" = amd64 ] || return 0
    say "downloading a kernel"
    mkdir -p "$downloads"
    folder=$(mktemp -d) # apt downloads as a user of its own, who may not enter every tree
    chmod 755 "$folder"
    [ "$(id -u)" != 0 ] || chown _apt "$folder" 2>/dev/null || true
    package=$(kernel_package)
    if [ -z "$package" ] && [ "$(id -u)" = 0 ]; then
        apt-get -q update >"$build/log/apt.log" 2>&1 || true
        package=$(kernel_package)
    fi
    if (cd "$folder" && apt-get -q download "${package:-linux-image-cloud-amd64}") \
        >"$build/log/kernel.log" 2>&1; then
        rm -rf "$downloads/kernel.new"
        dpkg -x "$folder/$package"_*.deb "$downloads/kernel.new"
        mv "$downloads/kernel.new" "$downloads/kernel"
    fi
    rm -rf "$folder"
}

# need_arm64_kernel: the same for arm64, below $downloads/kernel-arm64.
need_arm64_kernel() {
    local folder apt package

    [ ! -d "$downloads/kernel-arm64" ] || return 0
    is_debian || return 0
    say "downloading a kernel for arm64"
    mkdir -p "$downloads"
    folder=$(mktemp -d)
    chmod 755 "$folder"
    mkdir -p "$folder"/{lists,cache/archives,debs}/partial
    touch "$folder/status"
    [ "$(id -u)" != 0 ] || chown -R _apt "$folder" 2>/dev/null || true
    apt=(-o APT::Architecture=arm64 -o "APT::Architectures=arm64" -o "Dir::State=$folder"
        -o "Dir::State::status=$folder/status" -o "Dir::Cache=$folder/cache")
    apt-get -q "${apt[@]}" update >"$build/log/kernel-arm64.log" 2>&1 || true
    package=$(apt-cache "${apt[@]}" depends linux-image-cloud-arm64 2>/dev/null |
        awk '/Depends: linux-image/ && !n++ { print $2 }')
    if [ -n "$package" ] && (cd "$folder/debs" && apt-get -q "${apt[@]}" download "$package") \
        >>"$build/log/kernel-arm64.log" 2>&1; then
        rm -rf "$downloads/kernel-arm64.new"
        dpkg -x "$folder/debs/$package"_*.deb "$downloads/kernel-arm64.new"
        mv "$downloads/kernel-arm64.new" "$downloads/kernel-arm64"
    fi
    rm -rf "$folder"
}

# need_arm64_tools: open-vm-tools of arm64 and its libraries below $downloads/arm64, unpacked and
# never installed. Without them the test that wants them says so.
arm64_tools='open-vm-tools libc6 libgcc-s1 libglib2.0-0 libpcre2-8-0 libtirpc3 libgssapi-krb5-2
libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 libssl3 libffi8 zlib1g libfuse3-3
libxmlsec1-openssl libxmlsec1 libxml2 libxslt1.1 libicu72 liblzma5 libgcrypt20 libgpg-error0
libstdc++6'
need_arm64_tools() {
    local folder file apt

    ! cmp -s "$downloads/arm64/packages" - <<<"$arm64_tools" || return 0
    is_debian || return 0
    say "downloading open-vm-tools for arm64"
    mkdir -p "$downloads"
    folder=$(mktemp -d)
    chmod 755 "$folder"
    mkdir -p "$folder"/{lists,cache/archives,debs}/partial
    touch "$folder/status"
    [ "$(id -u)" != 0 ] || chown -R _apt "$folder" 2>/dev/null || true
    apt=(apt-get -q -o APT::Architecture=arm64 -o "APT::Architectures=arm64"
        -o "Dir::State=$folder" -o "Dir::State::status=$folder/status"
        -o "Dir::Cache=$folder/cache")
    # shellcheck disable=SC2086
    if ("${apt[@]}" update || true && cd "$folder/debs" && "${apt[@]}" download $arm64_tools) \
        >"$build/log/arm64.log" 2>&1; then
        rm -rf "$downloads/arm64.new"
        for file in "$folder"/debs/*.deb; do
            dpkg -x "$file" "$downloads/arm64.new"
        done
        echo "$arm64_tools" >"$downloads/arm64.new/packages"
        rm -rf "$downloads/arm64"
        mv "$downloads/arm64.new" "$downloads/arm64"
    fi
    rm -rf "$folder"
}

# ---- builds ------------------------------------------------------------------------------------
# Each build is a directory below build/; the row says how it differs from a plain release build.
san_flags='-fno-sanitize-recover=all -fno-omit-frame-pointer -gline-tables-only'
build_options() {
    case $1 in
    release) echo "-Dbench=enabled -Dsodium=enabled -Dopenssl=enabled -Dkmip=enabled" \
        "-Dcli=enabled" ;;
    bench) echo "-Dtests=disabled -Dexamples=disabled -Dbench=enabled -Dsodium=enabled" \
        "-Dopenssl=enabled -Dcli=disabled" ;;
    demo) echo "-Dtests=disabled -Dexamples=enabled -Doptimization=1" ;; # somebody waits for it
    static) echo "-Dtests=disabled -Dexamples=enabled -Dc_link_args=-static -Dprefer_static=true" ;;
    clang) echo "-Dexamples=disabled" ;;
    asan) echo "-Dexamples=disabled -Dfuzz=enabled -Db_sanitize=address,undefined" \
        "-Db_lundef=false -Doptimization=1 -Ddefault_library=static" ;;
    fast) echo "-Dexamples=disabled -Dtests=disabled -Dfuzz=enabled -Ddefault_library=static" ;;
    msan) echo "-Dexamples=disabled -Db_sanitize=memory -Db_lundef=false -Doptimization=1" \
        "-Ddefault_library=static" ;;
    tsan) echo "-Dexamples=disabled -Db_sanitize=thread -Db_lundef=false -Doptimization=1" \
        "-Ddefault_library=static" ;;
    cov) echo "-Dexamples=disabled -Db_coverage=true -Doptimization=0 -Ddefault_library=static" ;;
    aarch64 | riscv64 | s390x) echo "-Dexamples=disabled -Ddefault_library=static" \
        "-Dsodium=disabled -Dopenssl=disabled -Dkmip=disabled --cross-file=tools/cross/$1.ini" ;;
    *) die "no build named $1" ;;
    esac
}
build_compiler() {
    case $1 in
    clang | asan | fast | msan | tsan) echo clang ;;
    *) echo gcc ;;
    esac
}
build_cflags() {
    case $1 in
    asan) echo "$san_flags -fsanitize=fuzzer-no-link" ;;
    fast) echo "-fsanitize=fuzzer-no-link" ;;
    msan | tsan) echo "$san_flags" ;;
    esac
}

# What a build directory was configured for: anew when a source file or a package comes or goes.
build_key() {
    for kind in core unit fuzz bench {,test-}port-{sodium,openssl,kmip} test-port-{ciphers,quiet} \
        differential-{x86,a64,rv,s390}; do
        tools/sources $kind 2>/dev/null || true
    done
    stat -c %Y /var/lib/dpkg/status 2>/dev/null || true
    build_options "$1"
}

# build_dir NAME [TARGET...]: configure if need be, then build; prints only what goes wrong.
build_dir() {
    local name=$1 dir=$build/$1 key setup=()

    shift
    mkdir -p "$build"
    (
        flock 9
        key=$(build_key "$name")
        if [ ! -f "$dir/build.ninja" ]; then
            rm -rf "$dir"
            setup=(setup)
        elif [ "$key" != "$(cat "$dir/.key" 2>/dev/null)" ]; then
            setup=(setup --reconfigure)
        fi
        if [ ${#setup[@]} != 0 ]; then
            # shellcheck disable=SC2046
            CC=$(build_compiler "$name") CFLAGS=$(build_cflags "$name") \
                meson "${setup[@]}" "$dir" --werror $(build_options "$name") >"$dir.log" 2>&1 || {
                cat "$dir.log"
                return 1
            }
            printf '%s\n' "$key" >"$dir/.key"
        fi
        ninja -C "$dir" "$@" >"$dir.log" 2>&1 || {
            grep -vE '^\[[0-9]+/[0-9]+\] (Comp|Link|Gener)' "$dir.log"
            return 1
        }
    ) 9>"$build/$name.lock"
}

# ---- counting ----------------------------------------------------------------------------------
# tally LOG: "passed failed skipped excused", summed over all closing lines in the log: the plain
# `N passed, N failed, N skipped` (an optional `word: ` before it) and Criterion's. Criterion does
# not know our skips: its `SKIPPED:` lines are counted. A skip is excused only by absent hardware.
tally() {
    awk '
    /^([^ ]+: )?[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ {
        sub(/^[^ ]+: /, "")
        passed += $1; failed += $3; skipped += $5; plain = 1
    }
    /Synthesis:.*Tested:/ {
        gsub(/\033\[[0-9;]*m/, "")
        match($0, /Tested: *[0-9]+/); tested = substr($0, RSTART + 7, RLENGTH - 7) + 0
        match($0, /Passing: *[0-9]+/); good = substr($0, RSTART + 8, RLENGTH - 8) + 0
        passed += good; failed += tested - good; criterion = 1
    }
    /^SKIPPED: / { lines++; if ($2 == "hardware:") excused++ }
    END {
        if (criterion) skipped += lines
        print passed + 0, failed + 0, skipped + 0, excused + 0
    }' "$1"
}

# ---- fuzzing -----------------------------------------------------------------------------------
bench_programs() { tools/sources bench | sed 's|^bench/|bench/bench-|; s|\.c$||'; }
fuzz_targets() { tools/sources fuzz | sed 's|fuzz/fuzz_||; s|\.c$||'; }

# run_fuzz NAME SECONDS [BUILD [RUNS]]: corpus and regressions first, then new inputs, for so many
# seconds or RUNS of them. What breaks it is left in fuzz/regressions/NAME/, what reaches new code
# in build/fuzz/NAME/. One test more for each way. BUILD: asan, or fast: without sanitizers.
run_fuzz() {
    local name=$1 seconds=$2 how=${3:-asan} new=$build/fuzz/$1 known=() dir runs calls
    local program=$build/$how/fuzz/fuzz_$name found=fuzz/regressions/$name
    local log=$build/log/fuzz-$how-$name.log limit=(-max_total_time="$seconds")

    [ -z "${4-}" ] || limit=(-runs="$4")
    build_dir "$how" "fuzz/fuzz_$name" || return 1 # callers test us: set -e does not hold here
    mkdir -p "$new" "$found"
    for dir in fuzz/corpus/$name "$found"; do
        [ -z "$(ls "$dir" 2>/dev/null)" ] || known+=("$dir")
    done
    if [ ${#known[@]} != 0 ] && ! "$program" -runs=0 "${known[@]}" >"$log" 2>&1; then
        tail -n 30 "$log"
        echo "FAIL $name: a file of the corpus or of the regressions breaks it"
        echo "0 passed, 1 failed, 0 skipped"
        return 1
    fi
    if ! "$program" "${limit[@]}" -print_final_stats=1 -artifact_prefix="$found/" \
        ${SVMC_SEED:+-seed=$SVMC_SEED} "$new" "${known[@]}" >"$log" 2>&1; then
        tail -n 30 "$log"
        echo "FAIL $name: the input that breaks it was left in $found/"
        echo "${#known[@]} passed, 1 failed, 0 skipped"
        return 1
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    rmdir "$found" 2>/dev/null || true
    grep -h 'INFO: Seed' "$log" || true
    calls=$(sed -n 's/^calls: */, /p' "$log") # of those that make many an input
    echo "ok $name, $how: ${runs:-0} inputs${calls:+$calls calls}"
    [ "${runs:-0}" -gt 0 ] || return 1
    echo "$((${#known[@]} + 1)) passed, 0 failed, 0 skipped"
}

# ---- records of long runs ----------------------------------------------------------------------
# record_campaigns PART...: one dated section a part in docs/campaigns/; see README.md there.
record_campaigns() {
    local name file status time passed failed skipped excused commit
    local long='^(fuzz|differential-|intercept-(frame|race)|eva|mutants|(iox|gate)-reference|models'
    long+='|token-(race|time)|keyslot-(race|model)|disk-cut|end-to-end|exec-)'

    commit=$(git describe --always --dirty 2>/dev/null || echo none) # before a record changes it
    for name in "$@"; do
        [[ $name =~ $long ]] || continue
        read -r status time passed failed skipped excused <"$build/log/$name.result"
        file=${name%%-*}
        [ "$name" != end-to-end ] || file=$name
        [ -f "docs/campaigns/$file.md" ] ||
            printf '# Long runs: %s\n' "$file" >"docs/campaigns/$file.md"
        file=docs/campaigns/$file.md
        {
            printf '\n## %s\n' "$(date -u +%Y-%m-%d)"
            printf -- '- commit: %s\n' "$commit"
            printf -- '- command: `tools/test --long --only %s`\n' "$name"
            printf -- '- status: %s; %s passed, %s failed, %s skipped\n' \
                "$status" "$passed" "$failed" "$skipped"
            printf -- '- duration: %s s\n' "$time"
            printf -- '- cpu: %s, %s used\n' \
                "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | sort -u | head -n 1)" "$(nproc)"
            grep -hiE -e '^(== |ok |FAIL |seed|INFO: Seed|exec-)' \
                -e '^[0-9]+ (operations|checks|uses|cuts|restores)' \
                "$build/log/$name.log" |
                awk '!/^ok / || ++ok <= 20 { print "    " $0 }
                     END { if (ok > 20) print "    ok: " ok - 20 " lines more" }' ||
                true
        } >>"$file"
    done
}

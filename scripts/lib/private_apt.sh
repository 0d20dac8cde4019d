# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Reads packages of another suite through the machine's own package sources.
#
# The sources are copied with the suite exchanged, into a folder of our own, with package lists
# and caches of our own: the system's state is neither changed nor needed to be ours to change.
# Signatures are checked by apt with the keys the machine already trusts. Other vendors' sources
# are left out: only entries that name the machine's own Debian release are copied.

apt_root=      # set by private_apt_open: the folder everything below lives in
apt_codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-sid}")

private_apt_open() { # FOLDER
    apt_root=$1
    mkdir -p "$apt_root/none"
    # The machine's settings (proxies and the like) without the hooks that run after an update.
    { apt-config dump | grep -vi -e '-invoke' -e '^Dir::' -e 'pre-install-pkgs' || true
      echo "Dir::Etc::Parts \"$apt_root/none\";"
      echo "Dir::Etc::Main \"$apt_root/none\";"
    } > "$apt_root/apt.conf"
}

# Stanzas of FILE (deb822) for this release, with the suite exchanged: SUITE, or the release's own
# suites, its security fixes included, when SUITE is the release itself.
sources_of_deb822() { # FILE SUITE
    awk -v own="$apt_codename" -v suite="$2" '
        function is_release(name) {
            return name == own || name == "stable" || name == "oldstable" || name == "testing"
        }
        function is_ours(name) {
            return is_release(name) || name == own "-updates" || name == own "-security"
        }
        BEGIN { RS = ""; FS = "\n" }
        {
            keep = ""; kept_suites = ""; is_off = 0; field = ""
            for (i = 1; i <= NF; i++) {
                if ($i ~ /^#/) continue
                if ($i !~ /^[ \t]/) { field = tolower($i); sub(/:.*/, "", field) }
                value = $i; sub(/^[^:]*:/, "", value)
                if (field == "suites") {
                    if ($i ~ /^[ \t]/) value = $i
                    count = split(value, names, " ")
                    for (k = 1; k <= count; k++)
                        if (suite == own ? is_ours(names[k]) : is_release(names[k]))
                            kept_suites = kept_suites " " (suite == own ? names[k] : suite)
                } else if (field == "enabled") {
                    if (tolower(value) ~ /no|false/) is_off = 1
                } else if (field !~ /^(types|components|architectures|languages|targets)$/) {
                    keep = keep $i "\n"
                }
            }
            if (kept_suites != "" && !is_off)
                printf "Types: deb deb-src\nSuites:%s\nComponents: main\n%s\n", kept_suites, keep
        }' "$1"
}

# The same for the one-line format.
sources_of_list() { # FILE SUITE
    awk -v own="$apt_codename" -v suite="$2" '
        $1 == "deb" {
            options = ""; at = 2
            if ($2 ~ /^\[/)
                for (; at <= NF; at++) {
                    options = options " " $at
                    if ($at ~ /\]$/) { at++; break }
                }
            name = $(at + 1)
            is_release = name == own || name == "stable" || name == "oldstable" || name == "testing"
            is_ours = is_release || name == own "-updates" || name == own "-security"
            if (suite == own ? is_ours : is_release)
                for (k = 1; k <= 2; k++)
                    print (k == 1 ? "deb" : "deb-src") options, $at, suite == own ? name : suite, \
                          "main"
        }' "$1"
}

# Runs an apt tool on the packages of SUITE; fetches their lists the first time.
private_apt() { # SUITE TOOL ARGUMENTS...
    local suite=$1 tool=$2 file
    shift 2
    local home=$apt_root/$suite
    local -a options=(
        -oDir::State::Lists="$home/lists" -oDir::Cache="$home/cache"
        -oDir::Etc::SourceList="$home/sources.list" -oDir::Etc::SourceParts="$home/sources.d"
        -oDir::Etc::Preferences=/dev/null -oDir::Etc::PreferencesParts="$apt_root/none"
        -oAPT::Sandbox::User="$(id -un)" -oAcquire::Languages=none -oAcquire::Retries=3
    )
    if [ ! -d "$home" ]; then
        mkdir -p "$home/lists/partial" "$home/cache/archives/partial" "$home/sources.d"
        for file in /etc/apt/sources.list.d/*.sources; do
            [ ! -f "$file" ] || sources_of_deb822 "$file" "$suite" \
                > "$home/sources.d/${file##*/}"
        done
        for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
            [ ! -f "$file" ] || sources_of_list "$file" "$suite"
        done > "$home/sources.list"
        find "$home/sources.d" -empty -type f -delete
        if [ ! -s "$home/sources.list" ] && ! ls "$home"/sources.d/*.sources > /dev/null 2>&1; then
            echo "no package source of Debian $apt_codename in /etc/apt" >&2
            rm -rf "$home"
            return 1
        fi
        if ! APT_CONFIG=$apt_root/apt.conf apt-get -qq "${options[@]}" update; then
            rm -rf "$home"
            return 1
        fi
    fi
    APT_CONFIG=$apt_root/apt.conf "$tool" -qq "${options[@]}" "$@"
}

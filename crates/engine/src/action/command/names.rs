//! Names of environment variables: the valid ones, and those that decide what code a program runs.

/// Beginnings of names, in upper case, by which loaders, shells, interpreters and tools find code, options,
/// settings or other programs to run. A workflow never sets them.
const PREFIXES: &str = "
    ANSIBLE_ BASH BUNDLE_ CARGO COMPLUS_ CORECLR_ COR_ CORE_ DOTNET_ DYLD_ ELIXIR_ ERL_ GCONV_ GEM_ GIO_ GIT_ GLIBC_ GTK_
    GUILE_ JAVA_ JDK_ JULIA_ KUBE LD_ LESS LUA_ MALLOC_ MONO_ NODE_ NPM_ OPENSSL_ PERL PHP PIP_ PYTHON QT_ RUBY RUST SSH_
    SSL_ SUDO_ TCL TF_ UV_ XDG_ _JAVA_ LONGHAUL_";

/// Whole names, in upper case, of the same kind.
const NAMES: &str = "
    ALL_PROXY BROWSER CC CDPATH CLASSPATH CURL_CA_BUNDLE CURL_HOME CVS_RSH CXX EDITOR EMACSLOADPATH ENV EXINIT FPATH
    FTP_PROXY GETCONF_DIR GREP_OPTIONS HISTFILE HOME HOSTALIASES HTTPS_PROXY HTTP_PROXY IFS INPUTRC JRUBYOPT LOCALDOMAIN
    LOCPATH MAKEFLAGS MANPAGER MFLAGS NIS_PATH NLSPATH PAGER PATH PROMPT_COMMAND PS0 PS1 PS2 PS3 PS4 REQUESTS_CA_BUNDLE
    RESOLV_HOST_CONF RES_OPTIONS RSYNC_RSH R_HOME R_PROFILE SHELL SHELLOPTS TAR_OPTIONS TERMCAP TERMINFO TERMINFO_DIRS
    TMPDIR VIMINIT VISUAL WGETRC ZDOTDIR";

/// Returns true if a text is a name: letters, digits and `_`, and no digit first. Shells export functions
/// under others.
pub(super) fn is_name(name: &str) -> bool {
    let known = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
    name.bytes().all(known) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

/// Returns true if a variable decides what code the program runs, whom it trusts, or where it looks for its
/// settings.
pub(super) fn is_dangerous(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    PREFIXES.split_whitespace().any(|prefix| name.starts_with(prefix))
        || NAMES.split_whitespace().any(|whole| whole == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_shells_export_functions_under_are_none() {
        for good in ["A", "_", "a1", "MARK", "LC_ALL"] {
            assert!(is_name(good) && !is_dangerous(good), "{good}");
        }
        for bad in ["", "1A", "A=B", "A\0", "A B", "BASH_FUNC_x%%", "BASH_FUNC_x()", "É", "A-B", "A\n"] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn names_of_loaders_shells_and_interpreters_are_dangerous_in_any_case() {
        for name in "LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT BASH_ENV ENV BASH_FUNC_ls PATH IFS PS4 SHELLOPTS BASHOPTS \
                     PYTHONPATH PYTHONSTARTUP PYTHONHOME PERL5LIB PERL5OPT RUBYOPT RUBYLIB NODE_OPTIONS NODE_PATH \
                     JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS CLASSPATH GIT_SSH_COMMAND GIT_CONFIG_COUNT \
                     GCONV_PATH LUA_INIT PHPRC HOME TMPDIR EDITOR PAGER LESSOPEN PROMPT_COMMAND HTTPS_PROXY"
            .split_whitespace()
        {
            assert!(is_dangerous(name) && is_dangerous(&name.to_lowercase()), "{name}");
        }
    }
}

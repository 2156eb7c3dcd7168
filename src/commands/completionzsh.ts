/** Completion for zsh. */

/** zsh quotes what it puts in; descriptions are shown as they are, but for the backslashes that it takes out. */
export const ZSH = String.raw`#compdef kfwd
_kfwd() {
    local -a lines described
    local line value about
    local -i directive=4
    lines=("\${(@f)$(command kfwd complete -- "\${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}")
    for line in "\${(@)lines}"; do
        if [[ $line == :<-> ]]; then
            directive=\${line#:}
        elif [[ -n $line ]]; then
            value=\${line%%$'\t'*}
            about=\${line#*$'\t'}
            described+=("\${value//:/\\:}:\${about//\\/\\\\}")
        fi
    done
    [[ $PREFIX == --*=* ]] && compset -P 1 '*='
    if ((directive & 4)); then
        _describe -V kfwd described
    else
        _files
    fi
}
if [[ $funcstack[1] == _kfwd ]]; then
    _kfwd "$@"
else
    compdef _kfwd kfwd
fi`.replaceAll("\\$", "$");

/** Completion for bash, from 3.2 on. */

/**
 * Words are joined again that bash has split at `=` and `:`, are handed over as they were typed, and nothing that
 * `kfwd complete` says is expanded. Descriptions are shown where bash lists what there is, and are never put in.
 */
export const BASH = String.raw`# bash completion for kfwd
__kfwd_complete() {
    local -a words=() values=() shown=()
    local line=\${COMP_LINE:0:COMP_POINT} tab=$'\t' i n=0 word gap width=0
    for ((i = 0; i <= COMP_CWORD; i++)); do
        gap=\${line%%[![:space:]]*}
        line=\${line#"$gap"}
        word=\${COMP_WORDS[i]}
        ((i == COMP_CWORD)) && word=$line
        line=\${line#"$word"}
        if ((i > 0)) && [[ -z $gap ]]; then
            words[n - 1]+=$word
        else
            words[n++]=$word
        fi
    done
    local cur=\${words[n - 1]} directive=4 value about
    while IFS= read -r line; do
        if [[ $line == :* ]]; then
            directive=\${line#:}
        elif [[ -n $line ]]; then
            value=\${line%%"$tab"*}
            about=\${line#*"$tab"}
            values+=("$value")
            shown+=("$about")
            ((\${#value} > width)) && width=\${#value}
        fi
    done < <(command kfwd complete -- "\${words[@]:1}" 2>/dev/null)

    # Bash puts in what comes behind its last word break.
    local flag='' kept=''
    [[ $cur == --*=* ]] && flag=\${cur%%=*}= cur=\${cur#*=}
    [[ $COMP_WORDBREAKS == *=* ]] && { flag='' ; [[ $cur == *=* ]] && kept=\${cur%"\${cur##*=}"}; }
    [[ $COMP_WORDBREAKS == *:* && $cur == *:* ]] && kept=\${cur%"\${cur##*:}"}
    COMPREPLY=()
    for ((i = 0; i < \${#values[@]}; i++)); do
        value=$flag\${values[i]#"$kept"}
        # Several at once are listed; 37 and 42 are the ways to put them in.
        if ((\${#values[@]} > 1 && COMP_TYPE != 37 && COMP_TYPE != 42)) && [[ -n \${shown[i]} ]]; then
            printf -v value '%-*s  (%s)' "$((width - \${#kept} + \${#flag}))" "$value" "\${shown[i]}"
        fi
        COMPREPLY+=("$value")
    done
    if type compopt >/dev/null 2>&1; then
        ((directive & 32)) && compopt -o nosort 2>/dev/null
        ((directive & 4)) || compopt -o default 2>/dev/null
    fi
    return 0
}
complete -F __kfwd_complete kfwd`.replaceAll("\\$", "$");

# Completion of fcfaas' command line, for bash: source this file, or put it, as
# "fcfaas", where bash-completion looks.  The command itself knows what fits.

_fcfaas()
{
    local IFS=$'\n'

    # "=" breaks words for bash, but not for the command
    COMPREPLY=($("${COMP_WORDS[0]}" complete "$((COMP_CWORD - 1))" \
        "${COMP_WORDS[@]:1}" 2>/dev/null))
}

complete -o bashdefault -o default -F _fcfaas fcfaas

# Completion of `headroom` for bash: verbs, flags and the choices of a flag, read from the command's own --help, so
# that there is no list here to keep. Everything else completes as file names.

_headroom() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[0]} verb= help i
  command=${command/#\~\//$HOME/}
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ ${COMP_WORDS[i]} != -* ]]; then
      verb=${COMP_WORDS[i]}
      break
    fi
  done
  help=$("$command" ${verb:+"$verb"} --help 2>/dev/null) || return 0

  if [[ $previous == --* ]]; then
    # `--optimizer TEXT:{adamw,adamw8bit,sgd} ...`
    local choices
    choices=$(sed -nE "s/^ +([^ ]*,)?$previous [^{]*\{([^}]*)\}.*/\2/p" <<<"$help" | head -n 1)
    if [[ $choices ]]; then
      mapfile -t COMPREPLY < <(compgen -W "${choices//,/ }" -- "$word")
      return 0
    fi
  fi
  local words=
  if [[ $word == -* ]]; then
    words=$(grep -oE '^ +(-[a-zA-Z],)?--[a-z0-9-]+' <<<"$help" | grep -oE -- '--[a-z0-9-]+')
  elif [[ ! $verb ]]; then
    # The verbs are the indented first words between the line `Subcommands:` and the next empty one.
    words=$(sed -n '/^[A-Za-z]*ommands:/,/^$/ s/^  \([a-z]\+\).*/\1/p' <<<"$help")
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _headroom headroom

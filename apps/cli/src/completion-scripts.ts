/** The scripts that make shells ask this program what may follow. */
export const completionScripts = {
  bash: `# godwit completion for bash; use it with: source <(godwit completion bash)
_godwit() {
  local words
  words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  mapfile -t COMPREPLY < <(godwit completion propose -- "\${words[@]}" 2>/dev/null)
}
complete -o default -F _godwit godwit ./godwit
`,
  zsh: `#compdef godwit
# godwit completion for zsh; use it with: source <(godwit completion zsh)
_godwit() {
  local -a proposals
  proposals=("\${(@f)$(godwit completion propose -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if (( \${#proposals} == 0 )) || [[ -z \${proposals[1]} ]]; then
    _files
  else
    compadd -- "\${proposals[@]}"
  fi
}
if [[ \${funcstack[1]} == _godwit ]]; then
  _godwit "$@"
else
  compdef _godwit godwit
fi
`,
  fish: `# godwit completion for fish; use it with: godwit completion fish | source
function __godwit_propose
  set -l words (commandline --tokenize --cut-at-cursor --current-process)
  set -l token (commandline --current-token --cut-at-cursor)
  set -l proposals (godwit completion propose -- $words[2..-1] $token 2>/dev/null)
  if test (count $proposals) -gt 0
    string join -- \\n $proposals
  else
    __fish_complete_path $token
  end
end
complete --command godwit --no-files --arguments '(__godwit_propose)'
`,
} as const;
export type Shell = keyof typeof completionScripts;

/**
 * Runs a command and keeps its exit code and the end of what it writes, whatever becomes of the agent meanwhile: it may be what is
 * upgraded. The exit code is there before the output, which a program that the command has left behind may hold open.
 */
const script = `
cd "$1" || exit 1
echo $$ > pid.new
mv pid.new pid
{
  cd /
  timeout -k 30 "$3" /bin/sh -c "$2"
  code=$?
  cd "$1"
  echo "$code" > exit-code.new
  mv exit-code.new exit-code
} < /dev/null 2>&1 | tail -c "$4" > output.new
mv output.new output
`;

export interface CommandRun {
  /** Where it writes `pid`, `exit-code` and `output`. */
  folder: string;
  command: string;
  /** It is ended then, with exit code 124, or 137 where it does not heed that. */
  timeoutSeconds: number;
  outputBytes: number;
}

export const commandRun = ({ folder, command, timeoutSeconds, outputBytes }: CommandRun): string[] => [
  ...["/bin/sh", "-c", script, "godwit-command"],
  ...[folder, command, String(timeoutSeconds), String(outputBytes)],
];

/** `kfwd completion` on the command line, and the hidden `kfwd complete` that its scripts call. */
import { Argument, type Command } from "commander";
import type { CompletionShell } from "./completionscripts.ts";
import type { CommandKit } from "./filecommands.ts";
import { Output } from "./output.ts";
import type { SharedFlags } from "./world.ts";

const SHELLS = ["bash", "zsh", "fish", "powershell"] as const satisfies readonly CompletionShell[];

const HELP = `
It completes commands, flags, forwards, profiles and environments of the file, contexts and namespaces of the kubeconfig.
To have it in each shell:
  bash        in ~/.bashrc: source <(kfwd completion bash)
  zsh         in ~/.zshrc, behind compinit: source <(kfwd completion zsh)
  fish        kfwd completion fish > ~/.config/fish/completions/kfwd.fish
  powershell  in $PROFILE: kfwd completion powershell | Out-String | Invoke-Expression

Examples:
  source <(kfwd completion bash)
  kfwd completion fish | source`;

export function addCompletion({ world, outcome, command, colourFlag }: CommandKit, program: Command): void {
  const completion = colourFlag(
    command("completion", "print the script that makes a shell complete commands and names"),
  )
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .addHelpText("after", HELP);
  completion.action(async (shell: CompletionShell) => {
    const { completionScript } = await world.loadCompletionScripts();
    new Output(world, completion.opts<SharedFlags>()).data(completionScript(shell));
  });
  program
    .command("complete [words...]", { hidden: true })
    .allowUnknownOption()
    .passThroughOptions()
    .helpOption(false)
    .action(async (words: readonly string[]) => {
      const { complete } = await import("./complete.ts");
      outcome.exit = await complete(world, program, words);
    });
}

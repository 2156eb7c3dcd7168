/** Which variables other programs take orders from: what to run, where to find it, whom to believe. */

const NAMES: ReadonlySet<string> = new Set(
  (
    "PATH HOME SHELL ENV IFS CDPATH FPATH ZDOTDIR SHELLOPTS GLOBIGNORE PROMPT PROMPT_COMMAND PROMPT2 RPROMPT " +
    "PS0 PS1 PS2 PS3 PS4 EDITOR VISUAL PAGER BROWSER MANPAGER LESSOPEN LESSCLOSE HTTP_PROXY HTTPS_PROXY " +
    "ALL_PROXY NO_PROXY KUBECONFIG CLASSPATH GCONV_PATH"
  ).split(" "),
);

const KINDS =
  /^(?:LD_|DYLD_|BASH|NODE_|NPM_|YARN_|PYTHON|PERL|RUBY|GEM_|JAVA_|JDK_|_JAVA_|GIT_|SSH_|SSL_|SUDO_|DOTNET_|CORECLR_|COR_|CARGO_|RUSTC|XDG_|DIRENV_|KFWD_)|_OPTS$|_OPTIONS$|FLAGS$/;

/** Whether who may choose the value may choose what is run. */
export function isObeyed(name: string): boolean {
  return NAMES.has(name) || KINDS.test(name);
}

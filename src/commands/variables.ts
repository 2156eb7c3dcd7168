/** Every variable of the environment that kfwd reads, for `kfwd help environment`. */

/** Variables that are read alike, and what they do; a heading stands before each group. */
export const VARIABLES: readonly (readonly [
  heading: string,
  rows: readonly (readonly [names: readonly string[], meaning: string])[],
])[] = [
  [
    "In place of flags, which win over them:",
    [
      [["KFWD_FILE"], "-f: files, separated as PATH is"],
      [["KFWD_ENV"], "-e: an item of the file's environments"],
      [["KFWD_PROJECT"], "-p: the project's name"],
      [["KFWD_PROFILES"], "--profile: profiles, with commas between"],
      [["KFWD_TRUST"], "1: --trust, of every file"],
    ],
  ],
  [
    "What is shown, and how:",
    [
      [["NO_COLOR"], "no colour, if it is not empty"],
      [["FORCE_COLOR"], "colour where there is no terminal, too; 0: none"],
      [["TERM"], "dumb: no colour, nothing is redrawn"],
      [["CI"], "nothing is redrawn, forwards.local.yaml is not read"],
      [["GITHUB_ACTIONS", "GITHUB_WORKSPACE"], "findings stand at their lines in the pull request"],
      [["KFWD_MENU"], "0: no keys while `up` and `attach` run on a terminal"],
      [["SHELL"], "the shell that `env` prints for"],
      [["BROWSER"], "the program that `open` hands URLs to; none: they are printed"],
    ],
  ],
  [
    "The cluster:",
    [
      [["KUBECONFIG"], "kubeconfigs, separated as PATH is; default: ~/.kube/config"],
      [
        ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"],
        "the API server of the pod that kfwd runs in, where there is no kubeconfig",
      ],
      [["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"], "the proxy on the way to the API server"],
      [["NO_PROXY", "no_proxy"], "hosts that are reached without it"],
      [["NODE_EXTRA_CA_CERTS"], "certificates that Node trusts besides its own, such as a company's"],
      [["PATH"], "where credential plugins are looked for"],
      [["PATHEXT"], "what programs are called on Windows, where `doctor` looks for them"],
    ],
  ],
  [
    "Where things lie:",
    [
      [["KFWD_RUNTIME_DIR"], "locks and sockets; default: that of the next line"],
      [["XDG_RUNTIME_DIR", "TMPDIR"], "KFWD_RUNTIME_DIR is a folder there; default: /run/user/UID, /tmp"],
      [["XDG_STATE_HOME"], "logs, and the ports of `auto`; default: ~/.local/state"],
      [["XDG_DATA_HOME"], "marks of files that are allowed; default: ~/.local/share"],
      [["XDG_CACHE_HOME"], "compiled code; default: ~/.cache"],
      [["LOCALAPPDATA"], "all of these on Windows"],
      [["NODE_COMPILE_CACHE", "NODE_DISABLE_COMPILE_CACHE"], "another folder for compiled code, or none"],
      [["PWD"], "the working folder as the shell calls it, links and all"],
    ],
  ],
];

/** The questions of `kfwd init`, on a terminal. */
import { confirm, intro, isCancel, outro, text } from "@clack/prompts";

/** Where questions are asked. */
export interface Terminal {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
}

/** Says what is wrong with an answer; undefined: nothing. */
export type Judge = (answer: string) => string | undefined;

/** What was answered. */
export interface Answers {
  readonly name: string;
  /** Empty: the context's. */
  readonly namespace: string;
  /** In compact form. */
  readonly forwards: readonly string[];
}

/** What is proposed, and what answers are held against. */
export interface Questions {
  readonly name: string;
  readonly judgeName: Judge;
  readonly judgeNamespace: Judge;
  readonly judgeForward: Judge;
}

/** Undefined when the user gave up. */
export async function ask(terminal: Terminal, questions: Questions): Promise<Answers | undefined> {
  intro("A forwards.yaml for this folder", terminal);
  const name = await text({
    ...terminal,
    message: "What is the project called?",
    initialValue: questions.name,
    validate: (answer) => questions.judgeName(answer ?? ""),
  });
  if (isCancel(name)) return undefined;
  const namespace = await text({
    ...terminal,
    message: "In which namespace are its services?",
    placeholder: "empty: that of the kubeconfig's context",
    defaultValue: "",
    validate: (answer) => (answer ? questions.judgeNamespace(answer) : undefined),
  });
  if (isCancel(namespace)) return undefined;
  const forwards: string[] = [];
  for (let more = true; more;) {
    const forward = await text({
      ...terminal,
      message: "What is to be forwarded? local port : kind/name : port",
      placeholder: "8080:svc/api:http",
      validate: (answer) => questions.judgeForward(answer ?? ""),
    });
    if (isCancel(forward)) return undefined;
    forwards.push(forward);
    const another = await confirm({ ...terminal, message: "Another one?", initialValue: false });
    if (isCancel(another)) return undefined;
    more = another;
  }
  outro("Thank you", terminal);
  return { name, namespace, forwards };
}

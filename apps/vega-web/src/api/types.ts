// The server's words under short names. All of them are made from its OpenAPI file.

export type {
  AccountView as Account,
  AnswerBody as Answer,
  ApiView as Api,
  ClosedView as Closed,
  EntryView as Entry,
  EvidenceView as Evidence,
  FailureView as Failure,
  KeyView as Key,
  LastFailureView as LastFailure,
  PlanView as Plan,
  Problem,
  PromptsView as Prompts,
  PromptView as Prompt,
  RunBody as RunWish,
  RunView as Run,
  SettingView as Setting,
  Snapshot,
  StepView as Step,
  StreamEvent,
  SystemView as System,
} from "../generated/client/types.gen";

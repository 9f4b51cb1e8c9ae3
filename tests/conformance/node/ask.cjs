// An independent DIMSE client (dcmjs-dimse): reads what to ask as JSON from standard input,
// asks it on one association and prints the answers as JSON.
const { Client, Dataset, constants, requests, responses } = require("dcmjs-dimse");
const { readFileSync } = require("node:fs");

require("dcmjs-dimse").log.disableAll();

const wish = JSON.parse(readFileSync(0, "utf8"));

const MAKERS = {
  "C-ECHO": () => new requests.CEchoRequest(),
  "C-FIND-MWL": (one) => requests.CFindRequest.createWorklistFindRequest(one.dataset),
  "C-FIND-STUDY": (one) => requests.CFindRequest.createStudyFindRequest(one.dataset),
  "N-CREATE": (one) => new requests.NCreateRequest(one.sop_class, one.sop_instance),
  "N-SET": (one) => new requests.NSetRequest(one.sop_class, one.sop_instance),
  "N-GET": (one) =>
    new requests.NGetRequest(one.sop_class, one.sop_instance, one.attributes ?? []),
  "N-ACTION": (one) =>
    new requests.NActionRequest(one.sop_class, one.sop_instance, one.action_type),
};

function make(one, answers) {
  const request = MAKERS[one.kind](one);
  if (one.dataset && one.kind.startsWith("N-")) {
    request.setDataset(new Dataset(one.dataset));
  }
  request.on("response", (response) => answers.push(describe(response)));
  return request;
}

function describe(message) {
  const command = message.getCommandDataset();
  return {
    status: message.getStatus?.() ?? null,
    comment: message.getErrorComment?.() ?? "",
    error_id: command.getElement("ErrorID") ?? null,
    sop_instance: command.getElement("AffectedSOPInstanceUID") ?? null,
    event_type: command.getElement("EventTypeID") ?? null,
    dataset: message.hasDataset() ? message.getDataset().getElements() : null,
  };
}

const client = new Client();
const told = { answers: [], events: [], accepted: null, problem: null };
for (const one of wish.requests) {
  const answers = [];
  told.answers.push(answers);
  client.addRequest(make(one, answers));
}
client.on("associationAccepted", (association) => {
  told.accepted = association
    .getPresentationContexts()
    .map(({ context }) => [context.getAbstractSyntaxUid(), context.getResult()]);
});
client.on("associationRejected", (result) => {
  told.problem = { rejected: result };
});
client.on("networkError", (error) => {
  told.problem = { network: String(error.message ?? error) };
});
client.on("nEventReportRequest", (request, answer) => {
  told.events.push({ ...describe(request), sop_instance: request.getAffectedSopInstanceUid() });
  const response = responses.NEventReportResponse.fromRequest(request);
  response.setStatus(wish.event_status ?? constants.Status.Success);
  answer(response);
});
client.on("closed", () => {
  process.stdout.write(JSON.stringify(told), () => process.exit(0));
});
client.send(wish.host, wish.port, wish.calling, wish.called, {
  associationLingerTimeout: wish.linger_ms ?? 0,
  connectTimeout: 10_000,
});

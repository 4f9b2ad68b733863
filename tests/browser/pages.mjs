// The pages, one a row: each is looked at in every way that `walk.mjs` knows.
//   name   of its screenshots
//   path   its address; a function gets what the walk has made (`run`, `hostileRun`, …)
//   shows  text that it must have, with and without script
//   hostile  it shows what others wrote, so the hostile text must stand on it as text
export const pages = [
  { name: "overview", path: () => "/", shows: ["shop", "Protected", "Decide: the bad version"], hostile: true },
  { name: "runs-filtered", path: () => "/?action=withheld", shows: ["Runs that fit", "withheld"], hostile: true },
  { name: "apps", path: () => "/apps", shows: ["shop", "Mode"], hostile: true },
  { name: "run", path: (made) => `/runs/${made.run}`, shows: ["shop"] },
  { name: "run-hostile", path: (made) => `/runs/${made.hostileRun}`, shows: ["withheld"], hostile: true },
  { name: "deliveries", path: () => "/deliveries", shows: ["Accepted"], hostile: true },
  { name: "delivery", path: () => "/deliveries/del_hostile", shows: ["Payload", "user-agent"], hostile: true },
  { name: "messages", path: () => "/messages", shows: ["smoke_test.failed"] },
  { name: "messages-filtered", path: () => "/messages?state=dead&since=2h", shows: ["given up", "All, from the newest"] },
  { name: "message", path: () => "/messages/msg_hostile", shows: ["Attempts", "Payload"], hostile: true },
  { name: "endpoints", path: () => "/endpoints", shows: ["tests", "Delivered"] },
  { name: "pauses", path: () => "/pauses", shows: ["Pauses"], hostile: true },
  { name: "config", path: () => "/config", shows: ["In force", "built in", "outcome.tests"] },
  { name: "config-check", path: () => "/config?check=home", shows: ["Check home", "expect"] },
  { name: "trust", path: () => "/trust", shows: ["Trust"], hostile: true },
];

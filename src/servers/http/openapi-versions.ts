/** Versions of a view in the OpenAPI document. */

import type { Json } from "./json-schema.ts";
import { fails, json, ok, parameter, readParameters } from "./openapi-parts.ts";
import { ref } from "./openapi-schemas.ts";

export const versionPaths: Record<string, Json> = {
  "/v1/views/{view}/versions": {
    parameters: [parameter("view")],
    get: {
      operationId: "listVersions",
      summary: "The versions of a view",
      description:
        "Each is a view of its own, named `view@version`, under which all that is done with views is done with it.",
      tags: ["views"],
      parameters: readParameters,
      responses: {
        200: ok("All versions.", json(ref("Versions"))),
        ...fails("400", "403", "404", "503", "504"),
      },
    },
    post: {
      operationId: "buildVersion",
      summary: "Make a version beside the others",
      description:
        "From history, while records are appended; answers when it has its rows. The plain name means what it meant. Dropped with DELETE /v1/views/{view}@{version}.",
      tags: ["views"],
      requestBody: { required: true, content: json(ref("BuildVersion")) },
      responses: {
        200: ok("It has its rows.", json(ref("Built"))),
        ...fails("400", "403", "404", "409", "413", "422", "429", "503"),
      },
    },
  },
  "/v1/views/{view}/versions/{version}/promote": {
    parameters: [parameter("view"), parameter("version")],
    post: {
      operationId: "promoteVersion",
      summary: "Let the plain name mean this version",
      description:
        "For new readers, and for living subscribers, who are told a reset and its rows. Views that read the plain name go on with the version that they read.",
      tags: ["views"],
      responses: {
        200: ok("It does.", json(ref("Promoted"))),
        ...fails("400", "403", "404", "409", "422", "503"),
      },
    },
  },
  "/v1/views/{view}/rollback": {
    parameters: [parameter("view")],
    post: {
      operationId: "rollBackView",
      summary: "Let the plain name mean the version before",
      tags: ["views"],
      responses: {
        200: ok("It does.", json(ref("Promoted"))),
        ...fails("400", "403", "404", "409", "422", "503"),
      },
    },
  },
  "/v1/views/{view}/diff": {
    parameters: [parameter("view")],
    get: {
      operationId: "diffVersions",
      summary: "How two versions differ, at one position",
      tags: ["views"],
      parameters: [parameter("fromVersion"), parameter("toVersion"), parameter("limit"), ...readParameters],
      responses: {
        200: ok("Counts, and some of the rows.", json(ref("VersionDiff"))),
        ...fails("400", "403", "404", "422", "503", "504"),
      },
    },
  },
};

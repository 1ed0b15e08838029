CREATE TABLE "organizations" ( /* Customers; everything belongs to one of them */
    "id" INTEGER CONSTRAINT "organizations_pkey" PRIMARY KEY,
    "name" VARCHAR(200) NOT NULL CONSTRAINT "organizations_name_datatype" CHECK (typeof("name") IN ('text', 'null') AND length("name") <= 200),
    "slug" VARCHAR(63) NOT NULL CONSTRAINT "organizations_slug_datatype" CHECK (typeof("slug") IN ('text', 'null') AND length("slug") <= 63),
    "details" JSON NOT NULL DEFAULT '{}' CONSTRAINT "organizations_details_datatype" CHECK ("details" IS NULL OR typeof("details") <> 'blob' AND json_valid("details")),
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "organizations_created_at_datatype" CHECK (length("created_at") IN (19, 26) AND datetime(substr("created_at", 1, 19), '+0 days') IS substr("created_at", 1, 19) AND (length("created_at") = 19 OR substr("created_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "organizations_slug_key" UNIQUE ("slug"),
    CONSTRAINT "organizations_name_check" CHECK (length(name) > 0),
    CONSTRAINT "organizations_slug_check" CHECK ((NOT slug GLOB '*[^a-z0-9-]*' AND slug <> ''))
);

CREATE TABLE "users" ( /* People */
    "id" INTEGER CONSTRAINT "users_pkey" PRIMARY KEY,
    "public_id" UUID NOT NULL DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-' || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))) CONSTRAINT "users_public_id_datatype" CHECK ("public_id" GLOB '????????-????-????-????-????????????' AND "public_id" NOT GLOB '*[^-0-9a-f]*'),
    "email" VARCHAR(320) NOT NULL CONSTRAINT "users_email_datatype" CHECK (typeof("email") IN ('text', 'null') AND length("email") <= 320),
    "name" VARCHAR(200) NOT NULL CONSTRAINT "users_name_datatype" CHECK (typeof("name") IN ('text', 'null') AND length("name") <= 200),
    "password_hash" BLOB CONSTRAINT "users_password_hash_datatype" CHECK (typeof("password_hash") IN ('blob', 'null')) /* argon2id; NULL for single sign-on */,
    "active" BOOLEAN NOT NULL DEFAULT 1 CONSTRAINT "users_active_datatype" CHECK ("active" IN (0, 1)),
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "users_created_at_datatype" CHECK (length("created_at") IN (19, 26) AND datetime(substr("created_at", 1, 19), '+0 days') IS substr("created_at", 1, 19) AND (length("created_at") = 19 OR substr("created_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    "updated_at" TIMESTAMPTZ CONSTRAINT "users_updated_at_datatype" CHECK (length("updated_at") IN (19, 26) AND datetime(substr("updated_at", 1, 19), '+0 days') IS substr("updated_at", 1, 19) AND (length("updated_at") = 19 OR substr("updated_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "users_public_id_key" UNIQUE ("public_id"),
    CONSTRAINT "users_email_check" CHECK (email LIKE '%_@_%')
);

CREATE TABLE "memberships" (
    "organization_id" BIGINT NOT NULL CONSTRAINT "memberships_organization_id_datatype" CHECK (typeof("organization_id") IN ('integer', 'null')),
    "user_id" BIGINT NOT NULL CONSTRAINT "memberships_user_id_datatype" CHECK (typeof("user_id") IN ('integer', 'null')),
    "role" TEXT NOT NULL DEFAULT 'member' CONSTRAINT "memberships_role_datatype" CHECK ("role" = 'owner' OR "role" = 'admin' OR "role" = 'member' OR "role" = 'guest'),
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "memberships_created_at_datatype" CHECK (length("created_at") IN (19, 26) AND datetime(substr("created_at", 1, 19), '+0 days') IS substr("created_at", 1, 19) AND (length("created_at") = 19 OR substr("created_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "memberships_pkey" PRIMARY KEY ("organization_id", "user_id"),
    CONSTRAINT "memberships_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON DELETE CASCADE,
    CONSTRAINT "memberships_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE
);

CREATE TABLE "api_keys" (
    "id" INTEGER CONSTRAINT "api_keys_pkey" PRIMARY KEY,
    "organization_id" BIGINT NOT NULL CONSTRAINT "api_keys_organization_id_datatype" CHECK (typeof("organization_id") IN ('integer', 'null')),
    "created_by" BIGINT CONSTRAINT "api_keys_created_by_datatype" CHECK (typeof("created_by") IN ('integer', 'null')),
    "prefix" VARCHAR(12) NOT NULL CONSTRAINT "api_keys_prefix_datatype" CHECK (typeof("prefix") IN ('text', 'null') AND length("prefix") <= 12),
    "hash" BLOB NOT NULL CONSTRAINT "api_keys_hash_datatype" CHECK (typeof("hash") IN ('blob', 'null')),
    "scopes" "TEXT[]" NOT NULL DEFAULT '[]' CONSTRAINT "api_keys_scopes_datatype" CHECK ("scopes" IS NULL OR typeof("scopes") = 'text' AND json_valid("scopes") AND json_type("scopes") = 'array'),
    "expires_at" TIMESTAMPTZ CONSTRAINT "api_keys_expires_at_datatype" CHECK (length("expires_at") IN (19, 26) AND datetime(substr("expires_at", 1, 19), '+0 days') IS substr("expires_at", 1, 19) AND (length("expires_at") = 19 OR substr("expires_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "api_keys_created_at_datatype" CHECK (length("created_at") IN (19, 26) AND datetime(substr("created_at", 1, 19), '+0 days') IS substr("created_at", 1, 19) AND (length("created_at") = 19 OR substr("created_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "api_keys_prefix_key" UNIQUE ("prefix"),
    CONSTRAINT "api_keys_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON DELETE CASCADE,
    CONSTRAINT "api_keys_created_by_fkey" FOREIGN KEY ("created_by") REFERENCES "users" ("id") ON DELETE SET NULL
);

CREATE TABLE "logins" (
    "token" UUID NOT NULL DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-' || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))) CONSTRAINT "logins_token_datatype" CHECK ("token" GLOB '????????-????-????-????-????????????' AND "token" NOT GLOB '*[^-0-9a-f]*'),
    "user_id" BIGINT NOT NULL CONSTRAINT "logins_user_id_datatype" CHECK (typeof("user_id") IN ('integer', 'null')),
    "user_agent" TEXT CONSTRAINT "logins_user_agent_datatype" CHECK (typeof("user_agent") IN ('text', 'null')),
    "idle_timeout" INTERVAL NOT NULL CONSTRAINT "logins_idle_timeout_datatype" CHECK (typeof("idle_timeout") IN ('integer', 'null')),
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "logins_created_at_datatype" CHECK (length("created_at") IN (19, 26) AND datetime(substr("created_at", 1, 19), '+0 days') IS substr("created_at", 1, 19) AND (length("created_at") = 19 OR substr("created_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "logins_pkey" PRIMARY KEY ("token"),
    CONSTRAINT "logins_idle_timeout_check" CHECK (idle_timeout > 60000000),
    CONSTRAINT "logins_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE
);

CREATE TABLE "audit_events" ( /* What happened; written by every service, never changed */
    "id" INTEGER CONSTRAINT "audit_events_pkey" PRIMARY KEY,
    "organization_id" BIGINT NOT NULL CONSTRAINT "audit_events_organization_id_datatype" CHECK (typeof("organization_id") IN ('integer', 'null')),
    "actor_id" BIGINT CONSTRAINT "audit_events_actor_id_datatype" CHECK (typeof("actor_id") IN ('integer', 'null')),
    "action" VARCHAR(100) NOT NULL CONSTRAINT "audit_events_action_datatype" CHECK (typeof("action") IN ('text', 'null') AND length("action") <= 100),
    "payload" JSON NOT NULL CONSTRAINT "audit_events_payload_datatype" CHECK ("payload" IS NULL OR typeof("payload") <> 'blob' AND json_valid("payload")),
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "audit_events_created_at_datatype" CHECK (length("created_at") IN (19, 26) AND datetime(substr("created_at", 1, 19), '+0 days') IS substr("created_at", 1, 19) AND (length("created_at") = 19 OR substr("created_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "audit_events_payload_check" CHECK (JSON_TYPE(payload) = 'object'),
    CONSTRAINT "audit_events_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON DELETE CASCADE,
    CONSTRAINT "audit_events_actor_id_fkey" FOREIGN KEY ("actor_id") REFERENCES "users" ("id") ON DELETE SET NULL
);

CREATE TABLE "tasks" ( /* Things to do; a task may have parts */
    "id" INTEGER CONSTRAINT "tasks_pkey" PRIMARY KEY,
    "project_id" BIGINT NOT NULL CONSTRAINT "tasks_project_id_datatype" CHECK (typeof("project_id") IN ('integer', 'null')),
    "parent_id" BIGINT CONSTRAINT "tasks_parent_id_datatype" CHECK (typeof("parent_id") IN ('integer', 'null')),
    "assignee_id" BIGINT CONSTRAINT "tasks_assignee_id_datatype" CHECK (typeof("assignee_id") IN ('integer', 'null')),
    "title" VARCHAR(500) NOT NULL CONSTRAINT "tasks_title_datatype" CHECK (typeof("title") IN ('text', 'null') AND length("title") <= 500),
    "state" TEXT NOT NULL DEFAULT 'open' CONSTRAINT "tasks_state_datatype" CHECK ("state" = 'open' OR "state" = 'active' OR "state" = 'done' OR "state" = 'dropped'),
    "priority" SMALLINT NOT NULL DEFAULT 3 CONSTRAINT "tasks_priority_datatype" CHECK (typeof("priority") IN ('integer', 'null') AND "priority" BETWEEN -32768 AND 32767),
    "estimate" INTERVAL CONSTRAINT "tasks_estimate_datatype" CHECK (typeof("estimate") IN ('integer', 'null')),
    "due_at" TIMESTAMPTZ CONSTRAINT "tasks_due_at_datatype" CHECK (length("due_at") IN (19, 26) AND datetime(substr("due_at", 1, 19), '+0 days') IS substr("due_at", 1, 19) AND (length("due_at") = 19 OR substr("due_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    "details" JSON NOT NULL DEFAULT '{}' CONSTRAINT "tasks_details_datatype" CHECK ("details" IS NULL OR typeof("details") <> 'blob' AND json_valid("details")),
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "tasks_created_at_datatype" CHECK (length("created_at") IN (19, 26) AND datetime(substr("created_at", 1, 19), '+0 days') IS substr("created_at", 1, 19) AND (length("created_at") = 19 OR substr("created_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    "updated_at" TIMESTAMPTZ CONSTRAINT "tasks_updated_at_datatype" CHECK (length("updated_at") IN (19, 26) AND datetime(substr("updated_at", 1, 19), '+0 days') IS substr("updated_at", 1, 19) AND (length("updated_at") = 19 OR substr("updated_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "tasks_priority_check" CHECK (priority BETWEEN 1 AND 5),
    CONSTRAINT "tasks_check" CHECK (parent_id <> id),
    CONSTRAINT "tasks_project_id_fkey" FOREIGN KEY ("project_id") REFERENCES "projects" ("id") ON DELETE CASCADE,
    CONSTRAINT "tasks_parent_id_fkey" FOREIGN KEY ("parent_id") REFERENCES "tasks" ("id") ON DELETE CASCADE,
    CONSTRAINT "tasks_assignee_id_fkey" FOREIGN KEY ("assignee_id") REFERENCES "users" ("id") ON DELETE SET NULL
);

CREATE TABLE "projects" (
    "id" INTEGER CONSTRAINT "projects_pkey" PRIMARY KEY,
    "organization_id" BIGINT NOT NULL CONSTRAINT "projects_organization_id_datatype" CHECK (typeof("organization_id") IN ('integer', 'null')),
    "name" VARCHAR(200) NOT NULL CONSTRAINT "projects_name_datatype" CHECK (typeof("name") IN ('text', 'null') AND length("name") <= 200),
    "starts_on" DATE CONSTRAINT "projects_starts_on_datatype" CHECK (length("starts_on") = 10 AND date("starts_on", '+0 days') IS "starts_on"),
    "ends_on" DATE CONSTRAINT "projects_ends_on_datatype" CHECK (length("ends_on") = 10 AND date("ends_on", '+0 days') IS "ends_on"),
    "main_task_id" BIGINT CONSTRAINT "projects_main_task_id_datatype" CHECK (typeof("main_task_id") IN ('integer', 'null')),
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "projects_created_at_datatype" CHECK (length("created_at") IN (19, 26) AND datetime(substr("created_at", 1, 19), '+0 days') IS substr("created_at", 1, 19) AND (length("created_at") = 19 OR substr("created_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "projects_organization_id_name_key" UNIQUE ("organization_id", "name"),
    CONSTRAINT "projects_check" CHECK (ends_on IS NULL OR starts_on <= ends_on),
    CONSTRAINT "projects_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON DELETE CASCADE,
    CONSTRAINT "projects_main_task_id_fkey" FOREIGN KEY ("main_task_id") REFERENCES "tasks" ("id") ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE "project_members" (
    "project_id" BIGINT NOT NULL CONSTRAINT "project_members_project_id_datatype" CHECK (typeof("project_id") IN ('integer', 'null')),
    "organization_id" BIGINT NOT NULL CONSTRAINT "project_members_organization_id_datatype" CHECK (typeof("organization_id") IN ('integer', 'null')),
    "user_id" BIGINT NOT NULL CONSTRAINT "project_members_user_id_datatype" CHECK (typeof("user_id") IN ('integer', 'null')),
    CONSTRAINT "project_members_pkey" PRIMARY KEY ("project_id", "user_id"),
    CONSTRAINT "project_members_project_id_fkey" FOREIGN KEY ("project_id") REFERENCES "projects" ("id") ON DELETE CASCADE,
    CONSTRAINT "project_members_organization_id_user_id_fkey" FOREIGN KEY ("organization_id", "user_id") REFERENCES "memberships" ("organization_id", "user_id") ON DELETE CASCADE
);

CREATE TABLE "labels" (
    "id" INTEGER CONSTRAINT "labels_pkey" PRIMARY KEY,
    "project_id" BIGINT NOT NULL CONSTRAINT "labels_project_id_datatype" CHECK (typeof("project_id") IN ('integer', 'null')),
    "name" VARCHAR(50) NOT NULL CONSTRAINT "labels_name_datatype" CHECK (typeof("name") IN ('text', 'null') AND length("name") <= 50),
    "colour" VARCHAR(7) NOT NULL DEFAULT '#888888' CONSTRAINT "labels_colour_datatype" CHECK (typeof("colour") IN ('text', 'null') AND length("colour") <= 7),
    CONSTRAINT "labels_project_id_name_key" UNIQUE ("project_id", "name"),
    CONSTRAINT "labels_colour_check" CHECK (colour GLOB '#[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]'),
    CONSTRAINT "labels_project_id_fkey" FOREIGN KEY ("project_id") REFERENCES "projects" ("id") ON DELETE CASCADE
);

CREATE TABLE "task_labels" (
    "task_id" BIGINT NOT NULL CONSTRAINT "task_labels_task_id_datatype" CHECK (typeof("task_id") IN ('integer', 'null')),
    "label_id" BIGINT NOT NULL CONSTRAINT "task_labels_label_id_datatype" CHECK (typeof("label_id") IN ('integer', 'null')),
    CONSTRAINT "task_labels_pkey" PRIMARY KEY ("task_id", "label_id"),
    CONSTRAINT "task_labels_task_id_fkey" FOREIGN KEY ("task_id") REFERENCES "tasks" ("id") ON DELETE CASCADE,
    CONSTRAINT "task_labels_label_id_fkey" FOREIGN KEY ("label_id") REFERENCES "labels" ("id") ON DELETE CASCADE
);

CREATE TABLE "task_comments" (
    "id" INTEGER CONSTRAINT "task_comments_pkey" PRIMARY KEY,
    "task_id" BIGINT NOT NULL CONSTRAINT "task_comments_task_id_datatype" CHECK (typeof("task_id") IN ('integer', 'null')),
    "author_id" BIGINT CONSTRAINT "task_comments_author_id_datatype" CHECK (typeof("author_id") IN ('integer', 'null')),
    "body" TEXT NOT NULL CONSTRAINT "task_comments_body_datatype" CHECK (typeof("body") IN ('text', 'null')),
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "task_comments_created_at_datatype" CHECK (length("created_at") IN (19, 26) AND datetime(substr("created_at", 1, 19), '+0 days') IS substr("created_at", 1, 19) AND (length("created_at") = 19 OR substr("created_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "task_comments_body_check" CHECK (TRIM(body) <> ''),
    CONSTRAINT "task_comments_task_id_fkey" FOREIGN KEY ("task_id") REFERENCES "tasks" ("id") ON DELETE CASCADE,
    CONSTRAINT "task_comments_author_id_fkey" FOREIGN KEY ("author_id") REFERENCES "users" ("id") ON DELETE SET NULL
);

CREATE TABLE "sources" (
    "id" INTEGER CONSTRAINT "sources_pkey" PRIMARY KEY,
    "organization_id" BIGINT NOT NULL CONSTRAINT "sources_organization_id_datatype" CHECK (typeof("organization_id") IN ('integer', 'null')),
    "kind" TEXT NOT NULL CONSTRAINT "sources_kind_datatype" CHECK ("kind" = 'upload' OR "kind" = 'web' OR "kind" = 'mail' OR "kind" = 'repository'),
    "uri" TEXT NOT NULL CONSTRAINT "sources_uri_datatype" CHECK (typeof("uri") IN ('text', 'null')),
    "fetch_every" INTERVAL CONSTRAINT "sources_fetch_every_datatype" CHECK (typeof("fetch_every") IN ('integer', 'null')),
    "details" JSON NOT NULL DEFAULT '{}' CONSTRAINT "sources_details_datatype" CHECK ("details" IS NULL OR typeof("details") <> 'blob' AND json_valid("details")),
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "sources_created_at_datatype" CHECK (length("created_at") IN (19, 26) AND datetime(substr("created_at", 1, 19), '+0 days') IS substr("created_at", 1, 19) AND (length("created_at") = 19 OR substr("created_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "sources_organization_id_uri_key" UNIQUE ("organization_id", "uri"),
    CONSTRAINT "sources_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON DELETE CASCADE
);

CREATE TABLE "documents" (
    "id" INTEGER CONSTRAINT "documents_pkey" PRIMARY KEY,
    "source_id" BIGINT NOT NULL CONSTRAINT "documents_source_id_datatype" CHECK (typeof("source_id") IN ('integer', 'null')),
    "title" TEXT NOT NULL CONSTRAINT "documents_title_datatype" CHECK (typeof("title") IN ('text', 'null')),
    "media_type" VARCHAR(100) NOT NULL DEFAULT 'text/plain' CONSTRAINT "documents_media_type_datatype" CHECK (typeof("media_type") IN ('text', 'null') AND length("media_type") <= 100),
    "content" BLOB CONSTRAINT "documents_content_datatype" CHECK (typeof("content") IN ('blob', 'null')),
    "sha256" VARCHAR(64) NOT NULL CONSTRAINT "documents_sha256_datatype" CHECK (typeof("sha256") IN ('text', 'null') AND length("sha256") <= 64),
    "published_on" DATE CONSTRAINT "documents_published_on_datatype" CHECK (length("published_on") = 10 AND date("published_on", '+0 days') IS "published_on"),
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "documents_created_at_datatype" CHECK (length("created_at") IN (19, 26) AND datetime(substr("created_at", 1, 19), '+0 days') IS substr("created_at", 1, 19) AND (length("created_at") = 19 OR substr("created_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    "updated_at" TIMESTAMPTZ CONSTRAINT "documents_updated_at_datatype" CHECK (length("updated_at") IN (19, 26) AND datetime(substr("updated_at", 1, 19), '+0 days') IS substr("updated_at", 1, 19) AND (length("updated_at") = 19 OR substr("updated_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "documents_source_id_sha256_key" UNIQUE ("source_id", "sha256"),
    CONSTRAINT "documents_sha256_check" CHECK (length(sha256) = 64),
    CONSTRAINT "documents_source_id_fkey" FOREIGN KEY ("source_id") REFERENCES "sources" ("id") ON DELETE CASCADE
);

CREATE TABLE "document_chunks" (
    "id" INTEGER CONSTRAINT "document_chunks_pkey" PRIMARY KEY,
    "document_id" BIGINT NOT NULL CONSTRAINT "document_chunks_document_id_datatype" CHECK (typeof("document_id") IN ('integer', 'null')),
    "place" INTEGER NOT NULL CONSTRAINT "document_chunks_place_datatype" CHECK (typeof("place") IN ('integer', 'null') AND "place" BETWEEN -2147483648 AND 2147483647),
    "text" TEXT NOT NULL CONSTRAINT "document_chunks_text_datatype" CHECK (typeof("text") IN ('text', 'null')),
    "length" INTEGER GENERATED ALWAYS AS (length(text)) STORED CONSTRAINT "document_chunks_length_datatype" CHECK (typeof("length") IN ('integer', 'null') AND "length" BETWEEN -2147483648 AND 2147483647),
    "embedding" VECTOR(384) CONSTRAINT "document_chunks_embedding_datatype" CHECK (typeof("embedding") IN ('blob', 'null') AND length("embedding") = 1536) /* all-MiniLM-L6-v2, normalized */,
    CONSTRAINT "document_chunks_document_id_place_key" UNIQUE ("document_id", "place"),
    CONSTRAINT "document_chunks_place_check" CHECK (place >= 0),
    CONSTRAINT "document_chunks_document_id_fkey" FOREIGN KEY ("document_id") REFERENCES "documents" ("id") ON DELETE CASCADE
);

CREATE TABLE "notes" (
    "id" INTEGER CONSTRAINT "notes_pkey" PRIMARY KEY,
    "user_id" BIGINT NOT NULL CONSTRAINT "notes_user_id_datatype" CHECK (typeof("user_id") IN ('integer', 'null')),
    "title" VARCHAR(200) NOT NULL CONSTRAINT "notes_title_datatype" CHECK (typeof("title") IN ('text', 'null') AND length("title") <= 200),
    "body" TEXT NOT NULL DEFAULT '' CONSTRAINT "notes_body_datatype" CHECK (typeof("body") IN ('text', 'null')),
    "pinned" BOOLEAN NOT NULL DEFAULT 0 CONSTRAINT "notes_pinned_datatype" CHECK ("pinned" IN (0, 1)),
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "notes_created_at_datatype" CHECK (length("created_at") IN (19, 26) AND datetime(substr("created_at", 1, 19), '+0 days') IS substr("created_at", 1, 19) AND (length("created_at") = 19 OR substr("created_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    "updated_at" TIMESTAMPTZ CONSTRAINT "notes_updated_at_datatype" CHECK (length("updated_at") IN (19, 26) AND datetime(substr("updated_at", 1, 19), '+0 days') IS substr("updated_at", 1, 19) AND (length("updated_at") = 19 OR substr("updated_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "notes_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE
);

CREATE TABLE "note_links" (
    "from_id" BIGINT NOT NULL CONSTRAINT "note_links_from_id_datatype" CHECK (typeof("from_id") IN ('integer', 'null')),
    "to_id" BIGINT NOT NULL CONSTRAINT "note_links_to_id_datatype" CHECK (typeof("to_id") IN ('integer', 'null')),
    CONSTRAINT "note_links_pkey" PRIMARY KEY ("from_id", "to_id"),
    CONSTRAINT "note_links_check" CHECK (from_id <> to_id),
    CONSTRAINT "note_links_from_id_fkey" FOREIGN KEY ("from_id") REFERENCES "notes" ("id") ON DELETE CASCADE,
    CONSTRAINT "note_links_to_id_fkey" FOREIGN KEY ("to_id") REFERENCES "notes" ("id") ON DELETE CASCADE
);

CREATE TABLE "topics" (
    "id" INTEGER CONSTRAINT "topics_pkey" PRIMARY KEY,
    "parent_id" BIGINT CONSTRAINT "topics_parent_id_datatype" CHECK (typeof("parent_id") IN ('integer', 'null')),
    "name" VARCHAR(100) NOT NULL CONSTRAINT "topics_name_datatype" CHECK (typeof("name") IN ('text', 'null') AND length("name") <= 100),
    "centre" VECTOR(384) CONSTRAINT "topics_centre_datatype" CHECK (typeof("centre") IN ('blob', 'null') AND length("centre") = 1536),
    CONSTRAINT "topics_name_key" UNIQUE ("name"),
    CONSTRAINT "topics_parent_id_fkey" FOREIGN KEY ("parent_id") REFERENCES "topics" ("id") ON DELETE CASCADE
);

CREATE TABLE "conversations" (
    "id" INTEGER CONSTRAINT "conversations_pkey" PRIMARY KEY,
    "user_id" BIGINT NOT NULL CONSTRAINT "conversations_user_id_datatype" CHECK (typeof("user_id") IN ('integer', 'null')),
    "project_id" BIGINT CONSTRAINT "conversations_project_id_datatype" CHECK (typeof("project_id") IN ('integer', 'null')),
    "title" VARCHAR(300) CONSTRAINT "conversations_title_datatype" CHECK (typeof("title") IN ('text', 'null') AND length("title") <= 300),
    "status" TEXT NOT NULL DEFAULT 'active' CONSTRAINT "conversations_status_datatype" CHECK ("status" = 'active' OR "status" = 'archived'),
    "details" JSON NOT NULL DEFAULT '{}' CONSTRAINT "conversations_details_datatype" CHECK ("details" IS NULL OR typeof("details") <> 'blob' AND json_valid("details")),
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "conversations_created_at_datatype" CHECK (length("created_at") IN (19, 26) AND datetime(substr("created_at", 1, 19), '+0 days') IS substr("created_at", 1, 19) AND (length("created_at") = 19 OR substr("created_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    "updated_at" TIMESTAMPTZ CONSTRAINT "conversations_updated_at_datatype" CHECK (length("updated_at") IN (19, 26) AND datetime(substr("updated_at", 1, 19), '+0 days') IS substr("updated_at", 1, 19) AND (length("updated_at") = 19 OR substr("updated_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "conversations_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE,
    CONSTRAINT "conversations_project_id_fkey" FOREIGN KEY ("project_id") REFERENCES "projects" ("id") ON DELETE SET NULL
);

CREATE TABLE "messages" (
    "id" INTEGER CONSTRAINT "messages_pkey" PRIMARY KEY,
    "conversation_id" BIGINT NOT NULL CONSTRAINT "messages_conversation_id_datatype" CHECK (typeof("conversation_id") IN ('integer', 'null')),
    "role" TEXT NOT NULL CONSTRAINT "messages_role_datatype" CHECK ("role" = 'system' OR "role" = 'user' OR "role" = 'assistant' OR "role" = 'tool'),
    "text" TEXT NOT NULL CONSTRAINT "messages_text_datatype" CHECK (typeof("text") IN ('text', 'null')),
    "tokens" INTEGER NOT NULL DEFAULT 0 CONSTRAINT "messages_tokens_datatype" CHECK (typeof("tokens") IN ('integer', 'null') AND "tokens" BETWEEN -2147483648 AND 2147483647),
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "messages_created_at_datatype" CHECK (length("created_at") IN (19, 26) AND datetime(substr("created_at", 1, 19), '+0 days') IS substr("created_at", 1, 19) AND (length("created_at") = 19 OR substr("created_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "messages_tokens_check" CHECK (tokens >= 0),
    CONSTRAINT "messages_conversation_id_fkey" FOREIGN KEY ("conversation_id") REFERENCES "conversations" ("id") ON DELETE CASCADE
);

CREATE TABLE "message_contexts" ( /* The pieces of documents an answer was made from */
    "message_id" BIGINT NOT NULL CONSTRAINT "message_contexts_message_id_datatype" CHECK (typeof("message_id") IN ('integer', 'null')),
    "document_chunk_id" BIGINT NOT NULL CONSTRAINT "message_contexts_document_chunk_id_datatype" CHECK (typeof("document_chunk_id") IN ('integer', 'null')),
    "similarity" REAL NOT NULL CONSTRAINT "message_contexts_similarity_datatype" CHECK (typeof("similarity") IN ('real', 'null')),
    CONSTRAINT "message_contexts_pkey" PRIMARY KEY ("message_id", "document_chunk_id"),
    CONSTRAINT "message_contexts_similarity_check" CHECK (similarity >= -1 AND similarity <= 1),
    CONSTRAINT "message_contexts_message_id_fkey" FOREIGN KEY ("message_id") REFERENCES "messages" ("id") ON DELETE CASCADE,
    CONSTRAINT "message_contexts_document_chunk_id_fkey" FOREIGN KEY ("document_chunk_id") REFERENCES "document_chunks" ("id") ON DELETE CASCADE
);

CREATE TABLE "attachments" (
    "id" INTEGER CONSTRAINT "attachments_pkey" PRIMARY KEY,
    "message_id" BIGINT NOT NULL CONSTRAINT "attachments_message_id_datatype" CHECK (typeof("message_id") IN ('integer', 'null')),
    "name" VARCHAR(255) NOT NULL CONSTRAINT "attachments_name_datatype" CHECK (typeof("name") IN ('text', 'null') AND length("name") <= 255),
    "size" BIGINT NOT NULL CONSTRAINT "attachments_size_datatype" CHECK (typeof("size") IN ('integer', 'null')),
    "content" BLOB CONSTRAINT "attachments_content_datatype" CHECK (typeof("content") IN ('blob', 'null')),
    CONSTRAINT "attachments_size_check" CHECK (size > 0),
    CONSTRAINT "attachments_message_id_fkey" FOREIGN KEY ("message_id") REFERENCES "messages" ("id") ON DELETE CASCADE
);

CREATE TABLE "feedback" (
    "message_id" BIGINT NOT NULL CONSTRAINT "feedback_message_id_datatype" CHECK (typeof("message_id") IN ('integer', 'null')),
    "user_id" BIGINT NOT NULL CONSTRAINT "feedback_user_id_datatype" CHECK (typeof("user_id") IN ('integer', 'null')),
    "score" SMALLINT NOT NULL CONSTRAINT "feedback_score_datatype" CHECK (typeof("score") IN ('integer', 'null') AND "score" BETWEEN -32768 AND 32767),
    "remark" TEXT CONSTRAINT "feedback_remark_datatype" CHECK (typeof("remark") IN ('text', 'null')),
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "feedback_created_at_datatype" CHECK (length("created_at") IN (19, 26) AND datetime(substr("created_at", 1, 19), '+0 days') IS substr("created_at", 1, 19) AND (length("created_at") = 19 OR substr("created_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "feedback_pkey" PRIMARY KEY ("message_id", "user_id"),
    CONSTRAINT "feedback_score_check" CHECK (score IN (-1, 1)),
    CONSTRAINT "feedback_message_id_fkey" FOREIGN KEY ("message_id") REFERENCES "messages" ("id") ON DELETE CASCADE,
    CONSTRAINT "feedback_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users" ("id") ON DELETE CASCADE
);

CREATE TABLE "prompts" (
    "id" INTEGER CONSTRAINT "prompts_pkey" PRIMARY KEY,
    "organization_id" BIGINT CONSTRAINT "prompts_organization_id_datatype" CHECK (typeof("organization_id") IN ('integer', 'null')),
    "name" VARCHAR(100) NOT NULL CONSTRAINT "prompts_name_datatype" CHECK (typeof("name") IN ('text', 'null') AND length("name") <= 100),
    "version" INTEGER NOT NULL DEFAULT 1 CONSTRAINT "prompts_version_datatype" CHECK (typeof("version") IN ('integer', 'null') AND "version" BETWEEN -2147483648 AND 2147483647),
    "template" TEXT NOT NULL CONSTRAINT "prompts_template_datatype" CHECK (typeof("template") IN ('text', 'null')),
    "parameters" JSON NOT NULL DEFAULT '[]' CONSTRAINT "prompts_parameters_datatype" CHECK ("parameters" IS NULL OR typeof("parameters") <> 'blob' AND json_valid("parameters")),
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "prompts_created_at_datatype" CHECK (length("created_at") IN (19, 26) AND datetime(substr("created_at", 1, 19), '+0 days') IS substr("created_at", 1, 19) AND (length("created_at") = 19 OR substr("created_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "prompts_organization_id_name_version_key" UNIQUE ("organization_id", "name", "version"),
    CONSTRAINT "prompts_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON DELETE CASCADE
);

CREATE TABLE "models" (
    "id" INTEGER CONSTRAINT "models_pkey" PRIMARY KEY,
    "name" VARCHAR(100) NOT NULL CONSTRAINT "models_name_datatype" CHECK (typeof("name") IN ('text', 'null') AND length("name") <= 100),
    "kind" TEXT NOT NULL CONSTRAINT "models_kind_datatype" CHECK ("kind" = 'chat' OR "kind" = 'embedding' OR "kind" = 'rerank'),
    "dimension" INTEGER CONSTRAINT "models_dimension_datatype" CHECK (typeof("dimension") IN ('integer', 'null') AND "dimension" BETWEEN -2147483648 AND 2147483647),
    CONSTRAINT "models_name_key" UNIQUE ("name"),
    CONSTRAINT "models_check" CHECK (kind <> 'embedding' OR dimension > 0)
);

CREATE TABLE "model_prices" (
    "model_id" BIGINT NOT NULL CONSTRAINT "model_prices_model_id_datatype" CHECK (typeof("model_id") IN ('integer', 'null')),
    "valid_from" DATE NOT NULL CONSTRAINT "model_prices_valid_from_datatype" CHECK (length("valid_from") = 10 AND date("valid_from", '+0 days') IS "valid_from"),
    "per_input_token" DECIMAL(20,10) NOT NULL CONSTRAINT "model_prices_per_input_token_datatype" CHECK (typeof("per_input_token") <> 'text' AND "per_input_token" > -9999999999.99999999995 AND "per_input_token" < 9999999999.99999999995 OR typeof("per_input_token") = 'text' AND substr("per_input_token", -1) = '_' AND "per_input_token" NOT GLOB '*[^-0-9._]*' AND "per_input_token" GLOB '*[0-9]*' AND instr(replace(ltrim("per_input_token", '-0'), '_', '.'), '.') - 1 <= 10),
    "per_output_token" DECIMAL(20,10) NOT NULL CONSTRAINT "model_prices_per_output_token_datatype" CHECK (typeof("per_output_token") <> 'text' AND "per_output_token" > -9999999999.99999999995 AND "per_output_token" < 9999999999.99999999995 OR typeof("per_output_token") = 'text' AND substr("per_output_token", -1) = '_' AND "per_output_token" NOT GLOB '*[^-0-9._]*' AND "per_output_token" GLOB '*[0-9]*' AND instr(replace(ltrim("per_output_token", '-0'), '_', '.'), '.') - 1 <= 10),
    CONSTRAINT "model_prices_pkey" PRIMARY KEY ("model_id", "valid_from"),
    CONSTRAINT "model_prices_per_input_token_check" CHECK (per_input_token >= 0),
    CONSTRAINT "model_prices_per_output_token_check" CHECK (per_output_token >= 0),
    CONSTRAINT "model_prices_model_id_fkey" FOREIGN KEY ("model_id") REFERENCES "models" ("id") ON DELETE CASCADE
);

CREATE TABLE "runs" (
    "id" INTEGER CONSTRAINT "runs_pkey" PRIMARY KEY,
    "message_id" BIGINT CONSTRAINT "runs_message_id_datatype" CHECK (typeof("message_id") IN ('integer', 'null')),
    "model_id" BIGINT CONSTRAINT "runs_model_id_datatype" CHECK (typeof("model_id") IN ('integer', 'null')),
    "prompt_id" BIGINT CONSTRAINT "runs_prompt_id_datatype" CHECK (typeof("prompt_id") IN ('integer', 'null')),
    "state" TEXT NOT NULL DEFAULT 'queued' CONSTRAINT "runs_state_datatype" CHECK ("state" = 'queued' OR "state" = 'running' OR "state" = 'succeeded' OR "state" = 'failed'),
    "started_at" TIMESTAMPTZ CONSTRAINT "runs_started_at_datatype" CHECK (length("started_at") IN (19, 26) AND datetime(substr("started_at", 1, 19), '+0 days') IS substr("started_at", 1, 19) AND (length("started_at") = 19 OR substr("started_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    "took" INTERVAL CONSTRAINT "runs_took_datatype" CHECK (typeof("took") IN ('integer', 'null')),
    "error" TEXT CONSTRAINT "runs_error_datatype" CHECK (typeof("error") IN ('text', 'null')),
    "details" JSON NOT NULL DEFAULT '{}' CONSTRAINT "runs_details_datatype" CHECK ("details" IS NULL OR typeof("details") <> 'blob' AND json_valid("details")),
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "runs_created_at_datatype" CHECK (length("created_at") IN (19, 26) AND datetime(substr("created_at", 1, 19), '+0 days') IS substr("created_at", 1, 19) AND (length("created_at") = 19 OR substr("created_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "runs_check" CHECK ((state = 'failed') = (error IS NOT NULL)),
    CONSTRAINT "runs_message_id_fkey" FOREIGN KEY ("message_id") REFERENCES "messages" ("id") ON DELETE CASCADE,
    CONSTRAINT "runs_model_id_fkey" FOREIGN KEY ("model_id") REFERENCES "models" ("id") ON DELETE SET NULL,
    CONSTRAINT "runs_prompt_id_fkey" FOREIGN KEY ("prompt_id") REFERENCES "prompts" ("id") ON DELETE SET NULL
);

CREATE TABLE "run_steps" (
    "run_id" BIGINT NOT NULL CONSTRAINT "run_steps_run_id_datatype" CHECK (typeof("run_id") IN ('integer', 'null')),
    "place" SMALLINT NOT NULL CONSTRAINT "run_steps_place_datatype" CHECK (typeof("place") IN ('integer', 'null') AND "place" BETWEEN -32768 AND 32767),
    "tool" VARCHAR(100) NOT NULL CONSTRAINT "run_steps_tool_datatype" CHECK (typeof("tool") IN ('text', 'null') AND length("tool") <= 100),
    "input" JSON NOT NULL CONSTRAINT "run_steps_input_datatype" CHECK ("input" IS NULL OR typeof("input") <> 'blob' AND json_valid("input")),
    "output" JSON CONSTRAINT "run_steps_output_datatype" CHECK ("output" IS NULL OR typeof("output") <> 'blob' AND json_valid("output")),
    CONSTRAINT "run_steps_pkey" PRIMARY KEY ("run_id", "place"),
    CONSTRAINT "run_steps_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "runs" ("id") ON DELETE CASCADE
);

CREATE TABLE "evaluations" (
    "id" INTEGER CONSTRAINT "evaluations_pkey" PRIMARY KEY,
    "model_id" BIGINT NOT NULL CONSTRAINT "evaluations_model_id_datatype" CHECK (typeof("model_id") IN ('integer', 'null')),
    "suite" VARCHAR(100) NOT NULL CONSTRAINT "evaluations_suite_datatype" CHECK (typeof("suite") IN ('text', 'null') AND length("suite") <= 100),
    "at" TIMESTAMP NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "evaluations_at_datatype" CHECK (length("at") IN (19, 26) AND datetime(substr("at", 1, 19), '+0 days') IS substr("at", 1, 19) AND (length("at") = 19 OR substr("at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')) /* UTC */,
    CONSTRAINT "evaluations_model_id_suite_at_key" UNIQUE ("model_id", "suite", "at"),
    CONSTRAINT "evaluations_model_id_fkey" FOREIGN KEY ("model_id") REFERENCES "models" ("id") ON DELETE CASCADE
);

CREATE TABLE "evaluation_scores" (
    "evaluation_id" BIGINT NOT NULL CONSTRAINT "evaluation_scores_evaluation_id_datatype" CHECK (typeof("evaluation_id") IN ('integer', 'null')),
    "metric" VARCHAR(50) NOT NULL CONSTRAINT "evaluation_scores_metric_datatype" CHECK (typeof("metric") IN ('text', 'null') AND length("metric") <= 50),
    "score" REAL NOT NULL CONSTRAINT "evaluation_scores_score_datatype" CHECK (typeof("score") IN ('real', 'null')),
    CONSTRAINT "evaluation_scores_pkey" PRIMARY KEY ("evaluation_id", "metric"),
    CONSTRAINT "evaluation_scores_evaluation_id_fkey" FOREIGN KEY ("evaluation_id") REFERENCES "evaluations" ("id") ON DELETE CASCADE
);

CREATE TABLE "plans" (
    "id" INTEGER CONSTRAINT "plans_pkey" PRIMARY KEY,
    "code" VARCHAR(30) NOT NULL CONSTRAINT "plans_code_datatype" CHECK (typeof("code") IN ('text', 'null') AND length("code") <= 30),
    "monthly" DECIMAL(12,2) NOT NULL CONSTRAINT "plans_monthly_datatype" CHECK (typeof("monthly") <> 'text' AND "monthly" > -9999999999.995 AND "monthly" < 9999999999.995 OR typeof("monthly") = 'text' AND substr("monthly", -1) = '_' AND "monthly" NOT GLOB '*[^-0-9._]*' AND "monthly" GLOB '*[0-9]*' AND instr(replace(ltrim("monthly", '-0'), '_', '.'), '.') - 1 <= 10),
    "features" "TEXT[]" NOT NULL DEFAULT '["chat"]' CONSTRAINT "plans_features_datatype" CHECK ("features" IS NULL OR typeof("features") = 'text' AND json_valid("features") AND json_type("features") = 'array'),
    CONSTRAINT "plans_code_key" UNIQUE ("code"),
    CONSTRAINT "plans_code_check" CHECK ((code GLOB '[A-Z]*' AND NOT SUBSTRING(code, 2) GLOB '*[^A-Z0-9_]*')),
    CONSTRAINT "plans_monthly_check" CHECK (monthly >= 0)
);

CREATE TABLE "subscriptions" (
    "id" INTEGER CONSTRAINT "subscriptions_pkey" PRIMARY KEY,
    "organization_id" BIGINT NOT NULL CONSTRAINT "subscriptions_organization_id_datatype" CHECK (typeof("organization_id") IN ('integer', 'null')),
    "plan_id" BIGINT NOT NULL CONSTRAINT "subscriptions_plan_id_datatype" CHECK (typeof("plan_id") IN ('integer', 'null')),
    "starts_on" DATE NOT NULL CONSTRAINT "subscriptions_starts_on_datatype" CHECK (length("starts_on") = 10 AND date("starts_on", '+0 days') IS "starts_on"),
    "ends_on" DATE CONSTRAINT "subscriptions_ends_on_datatype" CHECK (length("ends_on") = 10 AND date("ends_on", '+0 days') IS "ends_on"),
    "renews_at" TIME NOT NULL DEFAULT ('00:00:00') CONSTRAINT "subscriptions_renews_at_datatype" CHECK (length("renews_at") IN (8, 15) AND time(substr("renews_at", 1, 8), '+0 days') IS substr("renews_at", 1, 8) AND (length("renews_at") = 8 OR substr("renews_at", 9) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "subscriptions_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON DELETE CASCADE,
    CONSTRAINT "subscriptions_plan_id_fkey" FOREIGN KEY ("plan_id") REFERENCES "plans" ("id") ON DELETE RESTRICT
);

CREATE TABLE "invoices" (
    "id" INTEGER CONSTRAINT "invoices_pkey" PRIMARY KEY,
    "organization_id" BIGINT NOT NULL CONSTRAINT "invoices_organization_id_datatype" CHECK (typeof("organization_id") IN ('integer', 'null')),
    "number" VARCHAR(20) NOT NULL CONSTRAINT "invoices_number_datatype" CHECK (typeof("number") IN ('text', 'null') AND length("number") <= 20),
    "state" TEXT NOT NULL DEFAULT 'draft' CONSTRAINT "invoices_state_datatype" CHECK ("state" = 'draft' OR "state" = 'sent' OR "state" = 'paid' OR "state" = 'void'),
    "due_on" DATE CONSTRAINT "invoices_due_on_datatype" CHECK (length("due_on") = 10 AND date("due_on", '+0 days') IS "due_on"),
    "created_at" TIMESTAMPTZ NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "invoices_created_at_datatype" CHECK (length("created_at") IN (19, 26) AND datetime(substr("created_at", 1, 19), '+0 days') IS substr("created_at", 1, 19) AND (length("created_at") = 19 OR substr("created_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "invoices_number_key" UNIQUE ("number"),
    CONSTRAINT "invoices_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON DELETE CASCADE
);

CREATE TABLE "invoice_lines" (
    "invoice_id" BIGINT NOT NULL CONSTRAINT "invoice_lines_invoice_id_datatype" CHECK (typeof("invoice_id") IN ('integer', 'null')),
    "place" SMALLINT NOT NULL CONSTRAINT "invoice_lines_place_datatype" CHECK (typeof("place") IN ('integer', 'null') AND "place" BETWEEN -32768 AND 32767),
    "text" VARCHAR(200) NOT NULL CONSTRAINT "invoice_lines_text_datatype" CHECK (typeof("text") IN ('text', 'null') AND length("text") <= 200),
    "quantity" INTEGER NOT NULL DEFAULT 1 CONSTRAINT "invoice_lines_quantity_datatype" CHECK (typeof("quantity") IN ('integer', 'null') AND "quantity" BETWEEN -2147483648 AND 2147483647),
    "price" DECIMAL(12,2) NOT NULL CONSTRAINT "invoice_lines_price_datatype" CHECK (typeof("price") <> 'text' AND "price" > -9999999999.995 AND "price" < 9999999999.995 OR typeof("price") = 'text' AND substr("price", -1) = '_' AND "price" NOT GLOB '*[^-0-9._]*' AND "price" GLOB '*[0-9]*' AND instr(replace(ltrim("price", '-0'), '_', '.'), '.') - 1 <= 10),
    "total" DECIMAL(20,2) GENERATED ALWAYS AS (quantity * price) STORED CONSTRAINT "invoice_lines_total_datatype" CHECK (typeof("total") <> 'text' AND "total" > -999999999999999999.995 AND "total" < 999999999999999999.995 OR typeof("total") = 'text' AND substr("total", -1) = '_' AND "total" NOT GLOB '*[^-0-9._]*' AND "total" GLOB '*[0-9]*' AND instr(replace(ltrim("total", '-0'), '_', '.'), '.') - 1 <= 18),
    CONSTRAINT "invoice_lines_pkey" PRIMARY KEY ("invoice_id", "place"),
    CONSTRAINT "invoice_lines_place_check" CHECK (place > 0),
    CONSTRAINT "invoice_lines_invoice_id_fkey" FOREIGN KEY ("invoice_id") REFERENCES "invoices" ("id") ON DELETE CASCADE
);

CREATE TABLE "payments" (
    "id" INTEGER CONSTRAINT "payments_pkey" PRIMARY KEY,
    "invoice_id" BIGINT NOT NULL CONSTRAINT "payments_invoice_id_datatype" CHECK (typeof("invoice_id") IN ('integer', 'null')),
    "amount" DECIMAL(12,2) NOT NULL CONSTRAINT "payments_amount_datatype" CHECK (typeof("amount") <> 'text' AND "amount" > -9999999999.995 AND "amount" < 9999999999.995 OR typeof("amount") = 'text' AND substr("amount", -1) = '_' AND "amount" NOT GLOB '*[^-0-9._]*' AND "amount" GLOB '*[0-9]*' AND instr(replace(ltrim("amount", '-0'), '_', '.'), '.') - 1 <= 10),
    "reference" VARCHAR(100) CONSTRAINT "payments_reference_datatype" CHECK (typeof("reference") IN ('text', 'null') AND length("reference") <= 100),
    "received_at" TIMESTAMPTZ NOT NULL DEFAULT (replace(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', '.000000', '')) CONSTRAINT "payments_received_at_datatype" CHECK (length("received_at") IN (19, 26) AND datetime(substr("received_at", 1, 19), '+0 days') IS substr("received_at", 1, 19) AND (length("received_at") = 19 OR substr("received_at", 20) GLOB '.[0-9][0-9][0-9][0-9][0-9][0-9]')),
    CONSTRAINT "payments_reference_key" UNIQUE ("reference"),
    CONSTRAINT "payments_amount_check" CHECK (amount > 0),
    CONSTRAINT "payments_invoice_id_fkey" FOREIGN KEY ("invoice_id") REFERENCES "invoices" ("id") ON DELETE CASCADE
);

CREATE TABLE "usage_records" (
    "id" INTEGER CONSTRAINT "usage_records_pkey" PRIMARY KEY,
    "organization_id" BIGINT NOT NULL CONSTRAINT "usage_records_organization_id_datatype" CHECK (typeof("organization_id") IN ('integer', 'null')),
    "run_id" BIGINT CONSTRAINT "usage_records_run_id_datatype" CHECK (typeof("run_id") IN ('integer', 'null')),
    "on_day" DATE NOT NULL DEFAULT (date('now')) CONSTRAINT "usage_records_on_day_datatype" CHECK (length("on_day") = 10 AND date("on_day", '+0 days') IS "on_day"),
    "tokens" BIGINT NOT NULL CONSTRAINT "usage_records_tokens_datatype" CHECK (typeof("tokens") IN ('integer', 'null')),
    "cost" DECIMAL(20,10) NOT NULL CONSTRAINT "usage_records_cost_datatype" CHECK (typeof("cost") <> 'text' AND "cost" > -9999999999.99999999995 AND "cost" < 9999999999.99999999995 OR typeof("cost") = 'text' AND substr("cost", -1) = '_' AND "cost" NOT GLOB '*[^-0-9._]*' AND "cost" GLOB '*[0-9]*' AND instr(replace(ltrim("cost", '-0'), '_', '.'), '.') - 1 <= 10),
    CONSTRAINT "usage_records_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON DELETE CASCADE,
    CONSTRAINT "usage_records_run_id_fkey" FOREIGN KEY ("run_id") REFERENCES "runs" ("id") ON DELETE SET NULL
);

CREATE UNIQUE INDEX "users_lower_idx" ON "users" ((lower(email)));

CREATE INDEX "memberships_user_id_idx" ON "memberships" ("user_id");

CREATE INDEX "logins_user_id_created_at_idx" ON "logins" ("user_id", "created_at" DESC);

CREATE INDEX "audit_events_organization_id_created_at_idx" ON "audit_events" ("organization_id", "created_at" DESC);

CREATE INDEX "tasks_project_id_priority_due_at_idx" ON "tasks" ("project_id", "priority", "due_at") WHERE state IN ('open', 'active');

CREATE INDEX "tasks_assignee_id_idx" ON "tasks" ("assignee_id");

CREATE INDEX "task_comments_task_id_created_at_idx" ON "task_comments" ("task_id", "created_at");

CREATE INDEX "notes_user_id_idx" ON "notes" ("user_id") WHERE pinned;

CREATE INDEX "conversations_user_id_updated_at_idx" ON "conversations" ("user_id", "updated_at" DESC);

CREATE INDEX "messages_conversation_id_id_idx" ON "messages" ("conversation_id", "id");

CREATE INDEX "runs_created_at_idx" ON "runs" ("created_at") WHERE state = 'queued';

CREATE UNIQUE INDEX "subscriptions_organization_id_idx" ON "subscriptions" ("organization_id") WHERE ends_on IS NULL;

CREATE INDEX "usage_records_organization_id_on_day_idx" ON "usage_records" ("organization_id", "on_day");

-- Chat sessions, written for PostgreSQL.

CREATE TYPE message_role AS ENUM ('system', 'user', 'assistant');

CREATE TABLE IF NOT EXISTS chat_sessions (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    owner VARCHAR(100) NOT NULL CHECK (owner <> ''),
    title TEXT,
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    settings JSONB NOT NULL DEFAULT '{}'::jsonb CHECK (jsonb_typeof(settings) = 'object'),
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
    closed_at TIMESTAMPTZ,
    CONSTRAINT closed_when_closed CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
    CONSTRAINT closed_later CHECK (closed_at >= created_at)
);

CREATE TABLE IF NOT EXISTS messages (
    id BIGSERIAL PRIMARY KEY,
    session_id UUID NOT NULL REFERENCES chat_sessions (id) ON DELETE CASCADE,
    role message_role NOT NULL,
    content TEXT NOT NULL CHECK (char_length(content) BETWEEN 1 AND 20000),
    metadata JSONB,
    reply_to BIGINT REFERENCES messages (id) ON DELETE SET NULL,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS reactions (
    message_id BIGINT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    who VARCHAR(100) NOT NULL,
    stars SMALLINT NOT NULL CHECK (stars BETWEEN 1 AND 5),
    PRIMARY KEY (message_id, who)
);

CREATE INDEX IF NOT EXISTS messages_in_order ON messages (session_id, id);
CREATE INDEX IF NOT EXISTS open_sessions ON chat_sessions (owner, created_at DESC) WHERE state = 'open';

COMMENT ON TABLE chat_sessions IS 'One conversation of one person';
COMMENT ON COLUMN messages.metadata IS 'model, tokens and so on, as the client sent them';

-- name: GetUserByEmail :one
SELECT * FROM users WHERE lower(email) = lower($1) AND active;

-- name: OpenTasks :many
SELECT tasks.*, users.name AS assignee
FROM tasks LEFT JOIN users ON users.id = tasks.assignee_id
WHERE tasks.project_id = $1 AND tasks.state IN ('open', 'active')
ORDER BY tasks.priority, tasks.due_at;

-- name: AddMessage :one
INSERT INTO messages (conversation_id, role, text, tokens) VALUES ($1, $2, $3, $4) RETURNING id, created_at;

-- name: NearestChunks :many
SELECT id, document_id, text, (embedding <=> $1)::float8 AS distance
FROM document_chunks WHERE embedding IS NOT NULL
ORDER BY embedding <=> $1 LIMIT $2;

-- name: NextRun :one
UPDATE runs SET state = 'running', started_at = now()
WHERE id = (SELECT id FROM runs WHERE state = 'queued' ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING *;

-- name: MonthlyUsage :many
SELECT organization_id, sum(tokens)::bigint AS tokens, sum(cost)::numeric AS cost
FROM usage_records WHERE on_day >= $1 AND on_day < $2 GROUP BY organization_id;

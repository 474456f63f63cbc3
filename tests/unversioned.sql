CREATE TABLE conversations (
  id VARCHAR(32) NOT NULL,
  language VARCHAR(16),
  time VARCHAR(32) NOT NULL,
  PRIMARY KEY (id)
);

CREATE TABLE dismissals (
  id INTEGER NOT NULL,
  cleaned TEXT NOT NULL,
  language VARCHAR(16) NOT NULL,
  dismissed BOOLEAN NOT NULL,
  agent TEXT NOT NULL,
  time VARCHAR(32) NOT NULL,
  PRIMARY KEY (id)
);

CREATE INDEX ix_dismissals_cleaned ON dismissals (cleaned);

CREATE TABLE edits (
  id INTEGER NOT NULL,
  version VARCHAR(64) NOT NULL,
  "before" VARCHAR(64) NOT NULL,
  who TEXT NOT NULL,
  kind VARCHAR(16) NOT NULL,
  why TEXT NOT NULL,
  counts JSON NOT NULL,
  texts JSON NOT NULL,
  time VARCHAR(32) NOT NULL,
  PRIMARY KEY (id)
);

CREATE INDEX ix_edits_version ON edits (version);

CREATE TABLE exchanges (
  id INTEGER NOT NULL,
  conversation_id VARCHAR(32) NOT NULL,
  text TEXT NOT NULL,
  cleaned TEXT NOT NULL,
  reply TEXT NOT NULL,
  action VARCHAR(16) NOT NULL,
  reason VARCHAR(32) NOT NULL,
  answer_id TEXT,
  confidence FLOAT NOT NULL,
  candidates JSON NOT NULL,
  timings JSON NOT NULL,
  language VARCHAR(16) NOT NULL,
  beside JSON,
  time VARCHAR(32) NOT NULL,
  PRIMARY KEY (id),
  FOREIGN KEY(conversation_id) REFERENCES conversations (id)
);

CREATE INDEX ix_exchanges_conversation_id ON exchanges (conversation_id);

CREATE INDEX ix_exchanges_cleaned ON exchanges (cleaned);

CREATE TABLE hand_overs (
  id INTEGER NOT NULL,
  conversation_id VARCHAR(32) NOT NULL,
  reason VARCHAR(32) NOT NULL,
  open BOOLEAN NOT NULL,
  time VARCHAR(32) NOT NULL,
  PRIMARY KEY (id),
  FOREIGN KEY(conversation_id) REFERENCES conversations (id)
);

CREATE INDEX ix_hand_overs_conversation_id ON hand_overs (conversation_id);

CREATE TABLE messages (
  id INTEGER NOT NULL,
  conversation_id VARCHAR(32) NOT NULL,
  author VARCHAR(16) NOT NULL,
  name TEXT NOT NULL,
  text TEXT NOT NULL,
  time VARCHAR(32) NOT NULL,
  PRIMARY KEY (id),
  FOREIGN KEY(conversation_id) REFERENCES conversations (id)
);

CREATE INDEX ix_messages_conversation_id ON messages (conversation_id);

CREATE TABLE feedback (
  id INTEGER NOT NULL,
  exchange_id INTEGER NOT NULL,
  liked BOOLEAN,
  comment TEXT NOT NULL,
  time VARCHAR(32) NOT NULL,
  PRIMARY KEY (id),
  FOREIGN KEY(exchange_id) REFERENCES exchanges (id)
);

CREATE INDEX ix_feedback_exchange_id ON feedback (exchange_id);

CREATE TABLE reviews (
  id INTEGER NOT NULL,
  exchange_id INTEGER NOT NULL,
  place INTEGER NOT NULL,
  verdict VARCHAR(16) NOT NULL,
  agent TEXT NOT NULL,
  answer_id TEXT,
  time VARCHAR(32) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (exchange_id, place),
  FOREIGN KEY(exchange_id) REFERENCES exchanges (id)
);

CREATE INDEX ix_reviews_exchange_id ON reviews (exchange_id);

CREATE TABLE claims (
  id INTEGER NOT NULL,
  hand_over_id INTEGER NOT NULL,
  agent TEXT NOT NULL,
  time VARCHAR(32) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (hand_over_id),
  FOREIGN KEY(hand_over_id) REFERENCES hand_overs (id)
);

CREATE TABLE closings (
  id INTEGER NOT NULL,
  hand_over_id INTEGER NOT NULL,
  outcome VARCHAR(16) NOT NULL,
  agent TEXT NOT NULL,
  time VARCHAR(32) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (hand_over_id),
  FOREIGN KEY(hand_over_id) REFERENCES hand_overs (id)
);

CREATE TABLE contacts (
  id INTEGER NOT NULL,
  hand_over_id INTEGER NOT NULL,
  contact TEXT NOT NULL,
  time VARCHAR(32) NOT NULL,
  PRIMARY KEY (id),
  FOREIGN KEY(hand_over_id) REFERENCES hand_overs (id)
);

CREATE INDEX ix_contacts_hand_over_id ON contacts (hand_over_id);

INSERT INTO conversations (id, language, time) VALUES
  ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'en', '2026-03-01T09:00:00.000000+00:00'),
  ('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', NULL, '2026-03-01T10:00:00.000000+00:00');

INSERT INTO exchanges (conversation_id, text, cleaned, reply, action, reason, answer_id, confidence, candidates, timings, language, beside, time) VALUES
  ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'Where is it? 包裹呢？', 'where is it? 包裹呢', 'On its way.', 'answer', 'confident', 'A7', 0.9, '[{"pair_id": "p1", "answer_id": "A7", "question": "where is it", "similarity": 0.875}]', '{"total": 8.5}', 'en', '{"citations": [], "suggestions": ["How long?"], "asks": "order_number"}', '2026-03-01T09:00:01.000000+00:00'),
  ('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'tea', 'tea', 'A person will come.', 'hand_over', 'unsure', NULL, 0.1, '[]', '{}', 'en', NULL, '2026-03-01T10:00:01.000000+00:00');

INSERT INTO feedback (exchange_id, liked, comment, time) VALUES
  (1, false, 'Wrong', '2026-03-01T09:01:00.000000+00:00'),
  (1, NULL, '', '2026-03-01T09:02:00.000000+00:00');

INSERT INTO reviews (exchange_id, place, verdict, agent, answer_id, time) VALUES
  (1, 1, 'right', 'Anna', NULL, '2026-03-01T11:00:00.000000+00:00');

INSERT INTO dismissals (cleaned, language, dismissed, agent, time) VALUES
  ('tea', 'en', true, 'Anna', '2026-03-01T11:00:00.000000+00:00');

INSERT INTO hand_overs (conversation_id, reason, open, time) VALUES
  ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'asked_for_person', false, '2026-03-01T09:03:00.000000+00:00'),
  ('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'unsure', true, '2026-03-01T10:00:01.000000+00:00');

INSERT INTO claims (hand_over_id, agent, time) VALUES
  (2, 'Anna', '2026-03-01T10:05:00.000000+00:00');

INSERT INTO closings (hand_over_id, outcome, agent, time) VALUES
  (1, 'resolved', 'Anna', '2026-03-01T09:30:00.000000+00:00');

INSERT INTO contacts (hand_over_id, contact, time) VALUES
  (2, 'b@example.com', '2026-03-01T10:01:00.000000+00:00');

INSERT INTO edits (version, "before", who, kind, why, counts, texts, time) VALUES
  ('v2', 'v1', 'Lee', 'published', 'Tea, too', '{"en": {"added": 1}}', '{"en": {"added": ["tea"]}}', '2026-03-02T08:00:00.000000+00:00');

INSERT INTO messages (conversation_id, author, name, text, time) VALUES
  ('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'customer', '', 'Hello?', '2026-03-01T10:04:00.000000+00:00'),
  ('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'agent', 'Anna', 'Here I am.', '2026-03-01T10:06:00.000000+00:00');

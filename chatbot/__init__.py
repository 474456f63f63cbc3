"""A customer-service chatbot that answers from what the company has already answered.

    corpus      pairs from csv, jsonl, xlsx -> checked, merged records (with bounds, files, tabular, text, merge)
    held_out    what a bot is judged by: dialogues, and questions that match
    carried     where a model's files are: a folder, an installed package, a hub name (with nano)
    encode      texts -> unit vectors                                     bi-encoder, in PyTorch (with models)
    ensemble    encoders side by side, one tuned and others as they come  (with universal, muse)
    index       vectors -> nearest pairs, which come and go               (with segment)
    shortlist   vectors -> candidates, in up to millions                  FAISS
    classify    vectors -> how likely each answer is                      logistic regression
    lexical     words -> nearest pairs                                    BM25
    rerank      (question, candidate) -> relevance                        cross-encoder, in PyTorch (with packing)
    engine      both models without PyTorch, for answering                ONNX Runtime (graph writes its files)
    retrieve    encode + search + rerank -> candidates, sorted once       (with table, gather, rank)
    decide      candidates + calibration -> answer | clarify | hand over
    answer      decision + template + slots -> the reply's text           (schema: what a templates file may hold)
    slots       what an answer needs of the customer, and what was given
    connect     what was given -> the company's record of it             csv, SQL, HTTP  (with addresses)
    fill        an answer that needs a value: asked for, looked up, said
    related     what may be asked next
    several     two questions in one message -> two answers
    mood        how the customer sounds, and what that changes            (with tone)
    converse    Chatbot.reply(conversation, text): the function to read first

    journal     what happened: conversations, feedback, hand-overs; and who may call: accounts, keys, sessions
    customers   a company's token -> who the customer is
    learn       train, calibrate, evaluate, compare
    insight     audit what the bot confuses, explain a relevance by words, and what a support lead looks at: gaps,
                hit tests, thresholds, changes
    doctor      is everything here, and fast enough?                      (with pace)
    serve       metrics, and logs with an id for each request
    backup      a bot and what customers said, in one file; restore puts it back
    reference   all that can be set, for docs/configuration.md
    bundle      the built bot's folder                                  (with manifest)
    ui          the pages
    serve       the REST API, the login, and all that stands between them and the network
    workshop    one language while it is made: fresh models, and the files that are written of them
    line        one language out of its files: its concrete models and indexes
    shared      models that several bots have in common, in memory once
    make        pairs -> a built bot
    edit        a built bot that is changed while it serves, as new versions  (with plan, amend)
    fleet       several bots in one process, loaded when they are used        (with room)
    check       what an edit would do to held-out dialogues, before it is live
    assemble    a built bot -> Chatbot; these alone pick concrete classes
    __main__    the command line, and in commands what each command does

Nouns are in `domain` and `desk`, protocols in `protocols`, errors in `errors`, settings in `settings`.
"""

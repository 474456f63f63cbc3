"""A customer-service chatbot that answers from what the company has already answered.

    corpus      pairs and dialogues from csv, jsonl, xlsx -> checked, merged records (with text, tabular, merge)
    carried     where a model's files are: a folder, an installed package, a hub name (with nano)
    encode      texts -> unit vectors                                     bi-encoder, in PyTorch (with models)
    ensemble    encoders side by side, one tuned and others as they come  (with universal, muse)
    index       vectors -> nearest pairs, which come and go               (with segment)
    shortlist   vectors -> candidates, in up to millions                  FAISS
    classify    vectors -> how likely each answer is                      logistic regression
    lexical     words -> nearest pairs                                    BM25
    rerank      (question, candidate) -> relevance                        cross-encoder, in PyTorch (with packing)
    engine      both models without PyTorch, for answering                ONNX Runtime (graph writes its files)
    retrieve    encode + search + rerank -> candidates, sorted once       (with table)
    decide      candidates + calibration -> answer | clarify | hand over
    answer      decision + template + slots -> the reply's text
    converse    Chatbot.reply(conversation, text): the function to read first

    journal     what happened: conversations, feedback, hand-overs
    learn       train, calibrate, evaluate, compare
    insight     audit what the bot confuses
    doctor      is everything here, and fast enough?
    bundle      the built bot's folder
    ui          the chat page
    workshop    one language while it is made: fresh models, and the files that are written of them
    line        one language out of its files: its concrete models and indexes
    make        pairs -> a built bot; add pairs to one, take some out
    assemble    a built bot -> Chatbot; these four alone pick concrete classes
    __main__    the command line, and in commands what each command does

Nouns and protocols are in `domain`, errors in `errors`, settings in `settings`.
"""

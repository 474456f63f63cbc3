"""A customer-service chatbot that answers from what the company has already answered.

    corpus      pairs and dialogues from csv, jsonl, xlsx -> checked, merged records (with text, tabular, merge)
    models      where weights come from: a folder, an installed package, a hub name (with nano)
    encode      texts -> unit vectors                                     bi-encoder
    index       vectors -> nearest pairs                                  FAISS
    classify    vectors -> how likely each answer is                      logistic regression
    lexical     words -> nearest pairs                                    BM25
    rerank      (question, candidate) -> relevance                        cross-encoder
    retrieve    encode + search + rerank -> candidates, sorted once       (with table)
    decide      candidates + calibration -> answer | clarify | hand over
    answer      decision + template + slots -> the reply's text
    converse    Chatbot.reply(conversation, text): the function to read first

    journal     what happened: conversations, feedback, hand-overs
    learn       train, calibrate, evaluate, compare
    insight     audit what the bot confuses
    bundle      the built bot's folder
    ui          the chat page
    line        one language: its concrete models and indexes, and its files
    assemble    settings and files -> Chatbot; with line, the one place that picks concrete classes
    __main__    the command line, and in commands what each command does

Nouns and protocols are in `domain`, errors in `errors`, settings in `settings`.
"""

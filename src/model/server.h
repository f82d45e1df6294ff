/*
 * server.h - what stands at an address: which software, of which version, with which models.
 */
#ifndef AOR_MODEL_SERVER_H
#define AOR_MODEL_SERVER_H

#include "base/http.h"
#include "model/preset.h"

/* {0}: not known. */
struct server {
    char *software, *version; /* "vllm", "0.6.1"; owned; NULL: it does not say */
};

/*
 * Ask <url>/models (Gemini: <url>/models/<model>), and where that names vLLM, SGLang or llama.cpp
 * their version. authorization (a header) and secret (what must not be shown) may be NULL.
 * *ret_why.msg says why nobody was reached; "" where somebody was. -1: it was reached, but will not
 * do: the key is refused, the certificate is bad, or vLLM or SGLang serve another model.
 */
int server_identify(struct http_client *client, const struct preset_api *api, const char *url,
                    const char *authorization, const char *secret, struct server *ret,
                    struct err *ret_why, struct err *err);
void server_release(struct server *s);

/*
 * Who gave an answer, as a JSON object. header: the answer's "Server", for software that is not
 * known otherwise; it, model and fingerprint may be NULL. The caller's.
 */
char *server_facts(const struct server *s, const char *url, const char *header, const char *model,
                   const char *fingerprint);

#endif

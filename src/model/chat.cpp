#include "model/chat.h"

#include <chat.h>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <llama.h>
#include <log.h>
#include <string>

struct chat_template {
    common_chat_templates_ptr templates;
};

int chat_template_open(const struct llama_model *model, const char *override_text,
                       struct chat_template **ret, struct err *err)
{
    if (!override_text && !llama_model_chat_template(model, nullptr)) {
        return err_set(err, ERR_FORMAT, "the model's file holds no chat template: name one");
    }
    common_log_set_verbosity_thold(LOG_LEVEL_OUTPUT); /* failures come as exceptions */
    try {
        *ret = new chat_template{
            common_chat_templates_init(model, override_text ? override_text : "")};
        return 0;
    } catch (const std::exception &e) {
        return err_set(err, ERR_FORMAT, "chat template: %s", e.what());
    }
}

void chat_template_free(struct chat_template *t)
{
    delete t;
}

int chat_template_apply(const struct chat_template *t, const char *system, const char *user,
                        char **ret, struct err *err)
{
    try {
        common_chat_templates_inputs inputs;
        const char *const texts[][2] = {{"system", system}, {"user", user}};
        for (const auto &[role, content] : texts) {
            if (content) {
                common_chat_msg message;
                message.role = role;
                message.content = content;
                inputs.messages.push_back(message);
            }
        }
        const std::string prompt = common_chat_templates_apply(t->templates.get(), inputs).prompt;
        char *copy = strdup(prompt.c_str());
        if (!copy) {
            return err_set(err, ERR_MODEL, "chat template: out of memory");
        }
        *ret = copy;
        return 0;
    } catch (const std::exception &e) {
        return err_set(err, ERR_FORMAT, "chat template: %s", e.what());
    }
}

static void (*on_exception)(const char *message);

static void terminate()
{
    try {
        if (std::current_exception()) {
            std::rethrow_exception(std::current_exception());
        }
        on_exception("terminated");
    } catch (const std::exception &e) {
        on_exception(e.what());
    } catch (...) {
        on_exception("an exception");
    }
    std::abort();
}

void chat_on_exception(void (*callback)(const char *message))
{
    on_exception = callback;
    std::set_terminate(terminate);
}

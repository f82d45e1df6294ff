#include "report/page.h"

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"

/* AOR_PAGE_DIR is where tools/setup/page.sh put them. */
/* NOLINTBEGIN(bugprone-macro-parentheses): symbol becomes an identifier, and text by # */
#define CARRY(symbol, file)                                                                        \
    __asm__(".section .rodata\n" #symbol ":\n.incbin \"" AOR_PAGE_DIR "/" file "\"\n" #symbol      \
            "_end:\n.byte 0\n.previous\n");                                                        \
    extern const char symbol[], symbol##_end[]
/* NOLINTEND(bugprone-macro-parentheses) */

CARRY(page_report_html, "report.html");
CARRY(page_report_js, "report.js");
CARRY(page_listen_html, "listen.html");
CARRY(page_listen_js, "listen.js");
CARRY(page_css, "page.css");

#define N_FILES 5

static struct page_file file_at(size_t i)
{
    static const char html[] = "text/html; charset=utf-8";
    static const char js[] = "text/javascript; charset=utf-8";
    static const char css[] = "text/css; charset=utf-8";
    const struct {
        const char *name, *type, *data, *end;
    } all[N_FILES] = {
        {"report.html", html, page_report_html, page_report_html_end},
        {"report.js", js, page_report_js, page_report_js_end},
        {"listen.html", html, page_listen_html, page_listen_html_end},
        {"listen.js", js, page_listen_js, page_listen_js_end},
        {"page.css", css, page_css, page_css_end},
    };
    return (struct page_file){all[i].name, all[i].type, all[i].data,
                              (size_t)(all[i].end - all[i].data)};
}

const struct page_file *page_find(const char *name)
{
    static struct page_file files[N_FILES];
    for (size_t i = 0; i < N_FILES; i++) {
        files[i] = file_at(i);
        if (strcmp(files[i].name, name) == 0) {
            return &files[i];
        }
    }
    return NULL;
}

/* 'sha256-...', as a content security policy names what may stand in a page. */
static void add_hash(struct buf *b, const struct page_file *f)
{
    char hex[SHA256_HEX_SIZE];
    unsigned char hash[32];
    sha256_hex(f->data, f->size, hex);
    for (size_t i = 0; i < sizeof hash; i++) {
        char pair[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        hash[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    char *base64 = base64_encode(hash, sizeof hash);
    buf_addf(b, "'sha256-%s'", base64);
    free(base64);
}

/* What stands before mark in *html is added, and *html goes behind it. Pages are ours: it is there.
 */
static void add_up_to(struct buf *b, const char **html, const char *mark)
{
    const char *at = strstr(*html, mark);
    if (!at) {
        abort();
    }
    buf_add(b, *html, (size_t)(at - *html));
    *html = at + strlen(mark);
}

void page_inline(struct buf *ret)
{
    const struct page_file css = *page_find("page.css");
    const struct page_file js = *page_find("report.js");
    const char *html = page_find("report.html")->data;
    add_up_to(ret, &html, "<link rel=\"stylesheet\" href=\"page.css\">");
    buf_adds(ret, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                  "base-uri 'none'; form-action 'none'; img-src data: blob:; media-src blob:; "
                  "style-src ");
    add_hash(ret, &css);
    buf_adds(ret, "; script-src 'self' file: ");
    add_hash(ret, &js);
    buf_adds(ret, "\">\n<style>");
    buf_add(ret, css.data, css.size);
    buf_adds(ret, "</style>");
    add_up_to(ret, &html, "<script src=\"report.js\"></script>");
    buf_adds(ret, "<script>");
    buf_add(ret, js.data, js.size);
    buf_adds(ret, "</script>");
    buf_adds(ret, html);
}

// The labels of a model that classifies texts, as config.json has them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "headroom/formats/json/json_object.h"

namespace headroom {

// Whether the config is of a model that gives texts a label, a ...ForSequenceClassification.
bool is_classifier(const JsonObject& config);

// Of a classifier, by number: id2label's names, or LABEL_0, LABEL_1, ... of num_labels, which is 2 where neither is
// said. Throws InvalidInput where the two disagree, for fewer than two labels (a regression), more than `most`, or
// another kind of problem than one label a text.
std::vector<std::string> read_labels(const JsonObject& config, int64_t most);

// The config of a classifier on top of the language model that `config` describes. `labels`: their number, or their
// names with commas. Throws InvalidInput naming --labels where it is neither, or the model is a classifier already.
JsonObject with_labels(const JsonObject& config, const std::string& labels);

}  // namespace headroom

// Makes a small model from a text file, trains it for a few steps, and lets it write; all under one memory budget.
//   g++ -std=c++20 train_and_generate.cc $(pkg-config --cflags --libs headroom) -o train_and_generate
//   ./train_and_generate book.txt a-new-directory
#include <headroom/errors.h>
#include <headroom/headroom.h>

#include <cstdio>
#include <iostream>

void print(const char* job, const headroom::MemoryUse& use) {
  const auto mib = [](int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
  std::printf("%s: measured %.1f MiB, predicted %.1f MiB, budget %.1f MiB\n", job, mib(use.measured_peak_bytes),
              mib(use.predicted_peak_bytes), mib(use.budget_bytes));
}

int main(int argc, char** argv) try {
  if (argc != 3) throw std::invalid_argument("expected a text file and a directory to write to");
  const std::string text = argv[1], directory = argv[2];

  headroom::InitOptions fresh;
  fresh.model = "tiny-300k";
  fresh.output = directory + "/model";
  fresh.tokenizer_data = {text};
  fresh.vocabulary = 512;
  headroom::init_model(fresh);

  headroom::TrainOptions training;
  training.memory = "64MiB";
  training.model = fresh.output;
  training.data = {text};
  training.output = directory + "/trained";
  training.steps = 20;
  training.seq_len = 64;
  const headroom::TrainResult trained = headroom::train(training);
  print("training", trained);

  headroom::GenerateOptions writing;
  writing.memory = "32MiB";
  writing.model = training.output;
  writing.prompt = "The ";
  writing.max_new_tokens = 40;
  writing.on_text = [](std::string_view piece) { std::cout << piece << std::flush; };
  print("\ngenerating", headroom::generate(writing));
} catch (const headroom::BudgetExceeded& error) {
  std::cerr << error.what() << "\nit would fit in " << error.smallest_budget_bytes << " bytes\n";
  return 3;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 1;
}

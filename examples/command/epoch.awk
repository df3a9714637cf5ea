# One epoch of softmax regression on iris.csv by stochastic gradient descent; every fourth flower is held out.
# Reads and writes the weights in the file `weights`, and prints the share of held-out flowers named wrongly.

BEGIN {
    split("setosa versicolor virginica", species, " ")
    inputs = 5 # four measurements, and 1 for the bias
    srand(seed)
    for (s = 1; s <= 3; s++)
        for (i = 1; i <= inputs; i++) {
            w[s, i] = (rand() - 0.5) / 10
            if ((getline line < weights) > 0) w[s, i] = line
        }
    close(weights)
}

function measure(    i) {
    for (i = 1; i < inputs; i++) x[i] = $i / 4 - 1
    x[inputs] = 1
}

# Fills p with the probability of each species, and returns the likeliest.
function guess(    s, i, best, sum) {
    for (s = 1; s <= 3; s++) {
        p[s] = 0
        for (i = 1; i <= inputs; i++) p[s] += w[s, i] * x[i]
        if (s == 1 || p[s] > p[best]) best = s
    }
    for (s = 3; s >= 1; s--) if (s != best) { p[s] = exp(p[s] - p[best]); sum += p[s] }
    p[best] = 1
    for (s = 1; s <= 3; s++) p[s] /= 1 + sum
    return best
}

NR > 1 && NR % 4 { # learn
    measure()
    guess()
    for (s = 1; s <= 3; s++)
        for (i = 1; i <= inputs; i++)
            w[s, i] -= learning_rate * ((p[s] - (species[s] == $5)) * x[i] + decay * w[s, i])
}

NR > 1 && NR % 4 == 0 { held_out[++count] = $0 }

END {
    for (n = 1; n <= count; n++) {
        $0 = held_out[n]
        measure()
        wrong += species[guess()] != $5
    }
    for (s = 1; s <= 3; s++)
        for (i = 1; i <= inputs; i++) printf "%.17g\n", w[s, i] > weights
    close(weights)
    printf "%.6f\n", wrong / count
}
